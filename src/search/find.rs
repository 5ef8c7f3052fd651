//! Finds lines: candidates from the index, the truth from the store.

use super::error::SearchError;
use super::facts::{AttemptFacts, FailureFacts};
use super::handle::Search;
use super::line::{lines_with, shown};
use super::log_block::AttemptLog;
use super::query::{BlockProperties, Matcher, Query, plan};
use crate::accounts::Principal;
use crate::index::{BlockHit, BlockKey, Candidates, Cursor, Facet, Filter, Kind, Projects};
use crate::storage::{Key, KeyBuilder, KeyReader};
use std::collections::{BTreeMap, HashMap};
use testhide_protocol::api::{SearchAnswer, SearchHit, SearchLine};
use testhide_protocol::{BuildId, ProjectId, ResultId, Timestamp};

/// Blocks whose text one page looks at. A page of a rare match ends here and goes on with the next request.
const MAX_LOADED: usize = 400;

/// Candidates that one page looks at; most of those that are not loaded fall to their build's state.
const MAX_LOOKED_AT: usize = 4000;

/// Candidates asked for first; each further look takes four times as many, because it repeats the work of the one before.
const FIRST_LOOK: usize = 32;

/// Where a page ended: the place of its last block, and the last line of it that was answered ([`u64::MAX`] when all were).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    block: Cursor,
    line: u64,
}

impl Key for Place {
    fn push(&self, to: &mut KeyBuilder) {
        (self.block.time.cast_unsigned(), self.block.tie, self.line).push(to);
    }

    fn pull(from: &mut KeyReader<'_>) -> Option<Self> {
        let (time, tie, line) = <(u64, u64, u64)>::pull(from)?;
        Some(Self {
            block: Cursor {
                time: time.cast_signed(),
                tie,
            },
            line,
        })
    }
}

impl Place {
    /// The cursor behind which the index finds this place's block again, and everything older.
    fn before(self) -> Cursor {
        match self.block.tie.checked_add(1) {
            Some(tie) => Cursor { tie, ..self.block },
            None => Cursor {
                time: self.block.time.saturating_add(1),
                tie: 0,
            },
        }
    }
}

impl Search {
    /// Up to `limit` lines that `text` means and `principal` may see, newest block first; and where the next page begins. A page
    /// may end early, even empty, when matches are rare.
    ///
    /// # Errors
    /// [`SearchError::Query`] for a text that is no query; failures of the index and the store.
    pub(super) async fn find(
        &self,
        principal: &Principal,
        text: &str,
        limit: usize,
        after: Option<Place>,
    ) -> Result<(SearchAnswer, Option<Place>), SearchError> {
        let query = Query::parse(text).map_err(|error| SearchError::Query {
            shown: error.show(text),
            error,
        })?;
        let permit = self
            .permits
            .clone()
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let (search, principal) = (self.clone(), principal.clone());
        let finding = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            search.find_blocking(&principal, &query, limit, after)
        });
        finding.await.expect("a search does not panic")
    }

    fn find_blocking(
        &self,
        principal: &Principal,
        query: &Query,
        limit: usize,
        after: Option<Place>,
    ) -> Result<(SearchAnswer, Option<Place>), SearchError> {
        let visible = self.projects.list(principal, None, usize::MAX)?;
        let names: BTreeMap<ProjectId, String> = visible
            .into_iter()
            .map(|project| (project.id, project.name))
            .collect();
        let index_lag = self.log.last()?.saturating_sub(self.index.cursor());
        let mut page = Page {
            search: self,
            names: &names,
            matcher: Matcher::new(query),
            attempts: HashMap::new(),
            hits: Vec::new(),
            room: limit,
            loaded: 0,
        };
        let next = page.fill(query, after)?;
        Ok((
            SearchAnswer {
                query: query.to_string(),
                hits: page.hits,
                next: None,
                index_lag,
            },
            next,
        ))
    }
}

/// A page in the making.
struct Page<'a> {
    search: &'a Search,
    /// The projects that the caller may see.
    names: &'a BTreeMap<ProjectId, String>,
    matcher: Matcher,
    attempts: HashMap<(BuildId, u32), Option<AttemptFacts>>,
    hits: Vec<SearchHit>,
    /// Lines that still fit.
    room: usize,
    /// Blocks whose text was looked at.
    loaded: usize,
}

impl Page<'_> {
    /// Takes candidates until the page is full or the scan is long enough; says where the next page begins.
    fn fill(&mut self, query: &Query, after: Option<Place>) -> Result<Option<Place>, SearchError> {
        let ids: Vec<([u8; 16], &str)> = self
            .names
            .iter()
            .map(|(&id, name)| (ProjectId::bytes(id), name.as_str()))
            .collect();
        let candidates = without_log_status(plan(query, &ids));
        let filter = Filter::new(Projects::Only(ids.iter().map(|(id, _)| *id).collect()));
        let mut behind = after.map(Place::before);
        let mut wanted = FIRST_LOOK;
        let mut looked_at = 0;
        loop {
            let found = self
                .search
                .index
                .search(&candidates, &filter, wanted, behind)?;
            let more = found.len() == wanted;
            for hit in found {
                let block = hit.cursor();
                let skip = after
                    .filter(|place| place.block == block)
                    .map_or(0, |place| place.line);
                let last_line = if skip == u64::MAX {
                    None
                } else {
                    self.take(&hit, skip)?
                };
                if let Some(line) = last_line {
                    return Ok(Some(Place { block, line }));
                }
                behind = Some(block);
                looked_at += 1;
                if self.room == 0 || self.loaded >= MAX_LOADED || looked_at >= MAX_LOOKED_AT {
                    return Ok(Some(Place {
                        block,
                        line: u64::MAX,
                    }));
                }
            }
            if !more {
                return Ok(None);
            }
            wanted = (wanted * 4).min(MAX_LOOKED_AT);
        }
    }

    /// Takes the matching lines behind line `skip` of a block; answers the last one taken when there may be more.
    fn take(&mut self, hit: &BlockHit, skip: u64) -> Result<Option<u64>, SearchError> {
        match hit.key {
            BlockKey::Log {
                build_id,
                attempt,
                offset,
            } => self.take_log(hit, BuildId::from_bytes(build_id), attempt, offset, skip),
            BlockKey::Failure { result_id, .. } => {
                self.take_failure(ResultId::from_bytes(result_id), skip)
            }
        }
    }

    fn take_log(
        &mut self,
        hit: &BlockHit,
        build: BuildId,
        attempt: u32,
        offset: u64,
        skip: u64,
    ) -> Result<Option<u64>, SearchError> {
        let facts = match self.attempts.get(&(build, attempt)) {
            Some(known) => known.clone(),
            None => {
                let facts = self.search.facts.attempt(build, attempt)?;
                self.attempts.insert((build, attempt), facts.clone());
                facts
            }
        };
        let Some(facts) = facts else { return Ok(None) };
        let Some(project) = self.names.get(&facts.project) else {
            return Ok(None);
        };
        let properties = BlockProperties {
            project,
            job: &facts.job,
            branch: &facts.branch,
            status: &facts.status,
            agent: &facts.agent,
            test: "",
            step: "",
            kind: Kind::Log,
            build: facts.number,
            time: hit.time,
        };
        // The step is known with the text; what no step could change is decided without reading it.
        let mut steps = facts.steps.iter().map(String::as_str).chain([""]);
        if !steps.any(|step| {
            self.matcher
                .block(&BlockProperties { step, ..properties })
                .is_some()
        }) {
            return Ok(None);
        }
        let log = AttemptLog {
            logs: &self.search.logs,
            build,
            attempt,
        };
        let Some(block) = log.block(offset)? else {
            return Ok(None);
        };
        self.loaded += 1;
        let properties = BlockProperties {
            step: facts.step(block.step),
            ..properties
        };
        let Some(matcher) = self.matcher.block(&properties) else {
            return Ok(None);
        };
        let mut lines: Vec<SearchLine> = Vec::new();
        let mut rest = None;
        for line in block.lines().filter(|line| line.number > skip) {
            let Some(found) = matcher.find(&line.text) else {
                continue;
            };
            if lines.len() == self.room {
                rest = lines.last().map(|last| last.number);
                break;
            }
            lines.push(shown(line.number, Some(line.stream), &line.text, &found));
        }
        self.room -= lines.len();
        if !lines.is_empty() {
            self.hits.push(SearchHit {
                kind: "log".to_owned(),
                project_id: facts.project,
                build_id: Some(build),
                build_number: Some(facts.number),
                attempt: Some(attempt),
                job: facts.job.clone(),
                branch: facts.branch.clone(),
                result_id: None,
                test: None,
                time: Timestamp(hit.time),
                lines,
            });
        }
        Ok(rest)
    }

    fn take_failure(&mut self, result: ResultId, skip: u64) -> Result<Option<u64>, SearchError> {
        let Some(failure) = self.search.facts.failure(result)? else {
            return Ok(None);
        };
        self.loaded += 1;
        let Some(mut lines) = self.failure_lines(&failure) else {
            return Ok(None);
        };
        lines.retain(|line| line.number > skip);
        let rest = lines.len() > self.room;
        lines.truncate(self.room);
        self.room -= lines.len();
        let Some(last) = lines.last().map(|line| line.number) else {
            return Ok(None);
        };
        let FailureFacts {
            project,
            build,
            branch,
            test,
            time,
            ..
        } = failure;
        self.hits.push(SearchHit {
            kind: "failure".to_owned(),
            project_id: project,
            build_id: build.as_ref().map(|build| build.id),
            build_number: build.as_ref().map(|build| build.number),
            attempt: build.as_ref().map(|build| build.attempt),
            job: build.map(|build| build.job).unwrap_or_default(),
            branch,
            result_id: Some(result),
            test: Some(test),
            time,
            lines,
        });
        Ok(rest.then_some(last))
    }

    /// The lines to show of a failure; `None` when it does not match or is not visible.
    fn failure_lines(&self, failure: &FailureFacts) -> Option<Vec<SearchLine>> {
        let build = failure.build.as_ref();
        let properties = BlockProperties {
            project: self.names.get(&failure.project)?,
            job: build.map_or("", |build| &build.job),
            branch: &failure.branch,
            status: &failure.status,
            agent: &failure.agent,
            test: &failure.test,
            step: "",
            kind: Kind::Failure,
            build: build.map_or(0, |build| build.number),
            time: failure.time.0,
        };
        let found = self.matcher.block(&properties)?.find(&failure.text)?;
        Some(lines_with(&failure.text, &found))
    }
}

/// The same condition, without asking the index for the status of logs: that is looked up for each candidate.
fn without_log_status(candidates: Candidates) -> Candidates {
    let each = |parts: Vec<Candidates>| parts.into_iter().map(without_log_status).collect();
    match candidates {
        status @ Candidates::Facet(Facet::Status, ..) => {
            Candidates::or(vec![Candidates::Kind(Kind::Log), status])
        }
        Candidates::And(parts) => Candidates::and(each(parts)),
        Candidates::Or(parts) => Candidates::or(each(parts)),
        other => other,
    }
}
