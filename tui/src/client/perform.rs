//! Effects, each turned into requests and one answer.

use std::time::Duration;

use testhide_protocol::api::{Agent, Cancel, FailureVerdict, LogPage, Page, Report, TestResult};
use testhide_protocol::{BuildId, ResultId};

use super::Client;
use super::http::parse;
use crate::event::{Answer, Answered, Effect, Failure, LogPurpose, LogRange, Retrigger};

/// Builds of one page.
const BUILDS: &str = "100";
/// Hits of one page.
const HITS: &str = "50";
/// Pages of agents read at most.
const MAX_PAGES: usize = 50;
/// Seconds that the server may wait for new lines.
const WAIT_SECONDS: u64 = 25;
/// No query.
const NONE: &[(&str, &str); 0] = &[];

impl Client {
    /// Does what is asked for. [`Effect::Quit`] has no answer.
    pub(crate) async fn perform(self, effect: Effect) -> Option<Answer> {
        Some(match effect {
            Effect::Quit => return None,
            Effect::LoadBuilds { cursor } => {
                let query = paged("limit", BUILDS, cursor.as_deref());
                Answer::Builds {
                    page: self.get("/builds", &query).await,
                    cursor,
                }
            }
            Effect::LoadBuild(number) => Answer::Build {
                number,
                build: self
                    .get(&format!("/builds/{number}"), NONE)
                    .await
                    .map(Box::new),
            },
            Effect::LoadVerdicts(number) => Answer::Verdicts {
                number,
                verdicts: self.get(&format!("/builds/{number}/verdicts"), NONE).await,
            },
            Effect::LoadLog(range) => Answer::Log {
                page: self.log(&range).await,
                range,
            },
            Effect::LoadFailure(result) => Answer::Failure {
                result,
                failure: self.failure(result).await,
            },
            Effect::Search { query, cursor } => {
                let mut parameters = paged("limit", HITS, cursor.as_deref());
                parameters.push(("q", &query));
                let answer = self.get("/search", &parameters).await;
                Answer::Search {
                    answer,
                    query,
                    cursor,
                }
            }
            Effect::LoadAgents => Answer::Agents(self.agents().await),
            Effect::LoadAgent(agent) => {
                Answer::Agent(self.get(&format!("/agents/{agent}"), NONE).await)
            }
            Effect::Cancel(number) => {
                let path = format!("/builds/{number}/cancel");
                let outcome = self.post(&path, &Cancel::default(), None).await;
                Answer::Cancelled {
                    number,
                    outcome: outcome.map(drop),
                }
            }
            Effect::Trigger(retrigger) => Answer::Triggered(self.trigger(&retrigger).await),
        })
    }

    async fn log(&self, range: &LogRange) -> Answered<LogPage> {
        let known_bytes = match range.purpose {
            LogPurpose::Follow { known_bytes } => Some(known_bytes),
            LogPurpose::Show | LogPurpose::Find => None,
        };
        let mut query = vec![("from", range.from), ("limit", range.limit)];
        query.extend(range.attempt.map(|attempt| ("attempt", u64::from(attempt))));
        if let Some(known_bytes) = known_bytes {
            query.push(("wait_seconds", WAIT_SECONDS));
            query.push(("known_bytes", known_bytes));
        }
        let wait = Duration::from_secs(known_bytes.map_or(0, |_| WAIT_SECONDS));
        self.get_waiting(&format!("/builds/{}/log", range.build), &query, wait)
            .await
    }

    async fn failure(&self, id: ResultId) -> Answered<Box<Failure>> {
        let verdict: FailureVerdict = self.get(&format!("/failures/{id}"), NONE).await?;
        let result: TestResult = self.get(&format!("/results/{id}"), NONE).await?;
        let report: Report = self
            .get(&format!("/reports/{}", result.report_id), NONE)
            .await?;
        Ok(Box::new(Failure {
            verdict,
            result,
            build: report.build_number,
        }))
    }

    async fn agents(&self) -> Answered<Vec<Agent>> {
        let (mut agents, mut cursor) = (Vec::new(), None::<String>);
        for _ in 0..MAX_PAGES {
            let query: Vec<_> = cursor
                .iter()
                .map(|cursor| ("cursor", cursor.as_str()))
                .collect();
            let page: Page<Agent> = self.get("/agents", &query).await?;
            agents.extend(page.items);
            let Some(next) = page.next else { break };
            cursor = Some(next);
        }
        Ok(agents)
    }

    async fn trigger(&self, retrigger: &Retrigger) -> Answered<Box<testhide_protocol::api::Build>> {
        // A new build's id is as good a random number as any.
        let key = BuildId::generate().to_string();
        let path = format!("/job/{}/trigger", retrigger.job);
        let body = self.post(&path, &retrigger.trigger, Some(&key)).await?;
        parse(&body).map(Box::new)
    }
}

fn paged<'a>(
    name: &'static str,
    limit: &'a str,
    cursor: Option<&'a str>,
) -> Vec<(&'static str, &'a str)> {
    let mut query = vec![(name, limit)];
    query.extend(cursor.map(|cursor| ("cursor", cursor)));
    query
}
