//! The server killed while many use it: what was acknowledged is there exactly once.
//!
//! Two agents run builds and a third party uploads reports. At points chosen at random among what was acknowledged the server is killed and
//! started again. Afterwards: builds, their logs to the byte, reports and their results, events without a gap; and no step ran twice.

use super::machine::Machine;
use super::settings::{PATIENCE, Random, number_from, seat};
use super::user::{Body, User, text};
use parking_lot::Mutex;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Lines that each build prints.
const LINES: u64 = 400;

/// Builds that may wait at once, so that the end of the test does not wait for ever.
const MOST_OPEN: u64 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_acknowledged_is_lost_or_doubled() {
    let _seat = seat().await;
    let rounds = number_from("TESTHIDE_CRASH_ROUNDS", 50);
    let mut random = Random::of_run();

    let mut machine = Machine::start(&[]).await;
    let user = User::set_up(&mut machine).await;
    for _ in 0..2 {
        machine.add_agent(&user, 2).await;
    }
    let driver = Driver::set_up(user, &machine).await;
    let working = driver.work();
    for round in 0..rounds {
        // Not after a time but after some things happened: a build acknowledged, a report stored.
        let after = 1 + random.below(6);
        driver.wait_for_acknowledgements(after).await;
        machine.kill_server().await;
        machine.start_server().await;
        println!(
            "round {} of {rounds}: killed after {after} acknowledgements",
            round + 1
        );
    }
    driver.stop(working).await;
    driver.check().await;
}

/// What was acknowledged.
#[derive(Default)]
struct Acknowledged {
    /// Build numbers with the nonce that each was triggered with.
    builds: BTreeMap<u64, String>,
    /// Names of uploaded reports with the number of their tests.
    reports: BTreeMap<String, u64>,
}

/// Triggers builds, uploads reports, remembers what was acknowledged, and looks for it afterwards.
#[derive(Clone)]
struct Driver {
    user: User,
    job: String,
    witness: PathBuf,
    acknowledged: Arc<Mutex<Acknowledged>>,
    count: Arc<watch::Sender<u64>>,
    stop: CancellationToken,
}

impl Driver {
    async fn set_up(user: User, machine: &Machine) -> Self {
        let witness = machine.path("witness");
        // The script says its nonce in every line and once in a file outside: proof that it ran, and ran once.
        let script = format!(
            "printf '%s\\n' \"$NONCE\" >> '{}'\nfor line in $(seq {LINES}); do echo \"$NONCE line $line\"; done\n",
            witness.display()
        );
        let definition = json!({
            "parameters": {"NONCE": ""},
            "steps": [{"type": "bash", "run": script}],
        });
        Self {
            job: user.make_job("lines", definition).await,
            user,
            witness,
            acknowledged: Arc::default(),
            count: Arc::new(watch::channel(0).0),
            stop: CancellationToken::new(),
        }
    }

    /// Starts to trigger builds and upload reports.
    fn work(&self) -> JoinSet<()> {
        let (builds, reports) = (self.clone(), self.clone());
        let mut working = JoinSet::new();
        working.spawn(async move { builds.trigger_builds().await });
        working.spawn(async move { reports.upload_reports().await });
        working
    }

    /// Waits until `more` further requests were acknowledged.
    async fn wait_for_acknowledgements(&self, more: u64) {
        let mut count = self.count.subscribe();
        let target = *count.borrow_and_update() + more;
        let reached =
            tokio::time::timeout(PATIENCE, count.wait_for(|count| *count >= target)).await;
        let reached = reached.expect("the server answers");
        drop(reached.expect("the driver lives"));
    }

    /// Ends the work and waits for it.
    async fn stop(&self, mut working: JoinSet<()>) {
        self.stop.cancel();
        while let Some(task) = working.join_next().await {
            task.expect("the work does not panic");
        }
    }

    async fn trigger_builds(&self) {
        let mut number = 0;
        while !self.stop.is_cancelled() {
            number += 1;
            let nonce = format!("nonce-{number}");
            let parameters = json!({"NONCE": nonce});
            let build = self.user.trigger(&self.job, &nonce, parameters).await;
            let earlier = self.acknowledged.lock().builds.insert(build, nonce);
            assert_eq!(earlier, None, "build number {build} was given twice");
            self.count.send_modify(|count| *count += 1);
            if let Some(old) = build.checked_sub(MOST_OPEN).filter(|old| *old > 0) {
                self.user.wait_for_end(old).await;
            }
        }
    }

    async fn upload_reports(&self) {
        let mut number = 0;
        while !self.stop.is_cancelled() {
            number += 1;
            let tests = 1 + number % 40;
            let name = format!("report-{number}.xml");
            let xml = report(number, tests);
            let path = format!("/projects/{}/reports?name={name}", self.user.project());
            let headers = [("idempotency-key", name.as_str())];
            let report = self
                .user
                .insist("POST", &path, &headers, Body::Xml(xml))
                .await;
            assert_eq!(report["counts"]["total"], tests, "{report}");
            self.acknowledged.lock().reports.insert(name, tests);
            self.count.send_modify(|count| *count += 1);
        }
    }

    /// Looks for everything that was acknowledged.
    async fn check(&self) {
        let (builds, reports) = {
            let acknowledged = self.acknowledged.lock();
            (acknowledged.builds.clone(), acknowledged.reports.clone())
        };
        assert!(!builds.is_empty() && !reports.is_empty());
        self.check_builds(&builds).await;
        self.check_reports(&reports).await;
        self.check_events(&builds, reports.len()).await;
    }

    async fn check_builds(&self, builds: &BTreeMap<u64, String>) {
        for (number, nonce) in builds {
            let build = self.user.wait_for_end(*number).await;
            assert_eq!(
                (&build["status"], &build["attempt"]),
                (&json!("passed"), &json!(1)),
                "{build}"
            );
            let mut log = Vec::new();
            let read = self.user.raw_log(*number, 1, |bytes| {
                log.extend_from_slice(bytes);
                Ok(())
            });
            read.await.expect("every byte is taken");
            let expected: String = (1..=LINES)
                .map(|line| format!("{nonce} line {line}\n"))
                .collect();
            assert!(
                log == expected.as_bytes(),
                "log of build {number} has {} of {} bytes",
                log.len(),
                expected.len()
            );
        }
        let last = self.user.get("/builds?limit=1").await;
        assert_eq!(
            last["items"][0]["build_number"],
            json!(builds.len()),
            "there are builds nobody was told of"
        );
        let witness = std::fs::read_to_string(&self.witness).expect("the witness");
        let mut ran: Vec<&str> = witness.lines().collect();
        ran.sort_unstable();
        let mut expected: Vec<&str> = builds.values().map(String::as_str).collect();
        expected.sort_unstable();
        assert_eq!(ran, expected, "every build ran, and ran once");
    }

    async fn check_reports(&self, reports: &BTreeMap<String, u64>) {
        let mut stored = Vec::new();
        let mut cursor = String::new();
        loop {
            let project = self.user.project();
            let path = format!("/projects/{project}/reports?limit=500{cursor}");
            let page = self.user.get(&path).await;
            for report in page["items"].as_array().expect("a list") {
                let path = format!("/reports/{}/results?limit=1000", text(report, "id"));
                let results = self.user.get(&path).await;
                let results = results["items"].as_array().expect("a list").len() as u64;
                let total = report["counts"]["total"].as_u64().expect("a count");
                stored.push((text(report, "name"), total, results));
            }
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        stored.sort();
        let mut expected: Vec<_> = reports
            .iter()
            .map(|(name, tests)| (name.clone(), *tests, *tests))
            .collect();
        expected.sort();
        assert_eq!(
            stored, expected,
            "every acknowledged report and result is there once"
        );
    }

    async fn check_events(&self, builds: &BTreeMap<u64, String>, reports: usize) {
        let mut finished = BTreeSet::new();
        let mut stored = BTreeSet::new();
        let mut log_ends: BTreeMap<String, u64> = BTreeMap::new();
        let kinds = ["build_finished", "report_stored", "log_appended"];
        for event in self.user.events(&kinds).await {
            match event["kind"].as_str() {
                Some("build_finished") => {
                    let number = event["number"].as_u64().expect("a number");
                    assert!(finished.insert(number), "build {number} finished twice");
                }
                Some("report_stored") => {
                    let is_new = stored.insert(text(&event, "report"));
                    assert!(is_new, "a report was stored twice");
                }
                _ => {
                    let end = log_ends.entry(text(&event, "build")).or_default();
                    let from = event["from"].as_u64();
                    assert_eq!(from, Some(*end), "a log has a gap or an overlap");
                    *end = event["to"].as_u64().expect("an end");
                }
            }
        }
        assert_eq!(
            finished.into_iter().collect::<Vec<_>>(),
            builds.keys().copied().collect::<Vec<_>>()
        );
        assert_eq!(stored.len(), reports);
    }
}

fn report(number: u64, tests: u64) -> String {
    let mut xml = String::from("<testsuite name=\"crash\">");
    for test in 0..tests {
        let failure = if test % 7 == 3 {
            "<failure message=\"no\"/>"
        } else {
            ""
        };
        xml.push_str(&format!(
            "<testcase classname=\"c{number}\" name=\"t{test}\">{failure}</testcase>"
        ));
    }
    xml.push_str("</testsuite>");
    xml
}
