//! Verdicts: what the failures of a build mean, with their evidence.

use crate::support::{Case, TestServer, junit};
use serde_json::json;
use testhide_protocol::api::{Build, BuildVerdicts, FailureVerdict, Report, VerdictKind};

/// Builds of one job with one uploaded report each.
struct Series {
    server: TestServer,
    job: String,
}

impl Series {
    async fn start() -> Self {
        let server = TestServer::start().await;
        let job = server
            .job(
                "upload",
                json!({"steps": [{"type": "bash", "run": "true"}]}),
            )
            .await;
        Self { server, job }
    }

    /// A build of `commit` with these results; answers its verdicts.
    async fn build(&self, commit: &str, cases: &[Case<'_>]) -> BuildVerdicts {
        let build: Build = self
            .server
            .trigger(&self.job, json!({"commit": commit}))
            .await;
        let path = format!("/builds/{}/reports", build.build_number);
        let _: Report = self
            .server
            .root
            .upload(&path, "application/xml", junit(cases))
            .await
            .ok();
        self.server.settled().await;
        self.server
            .root
            .get(&format!("/builds/{}/verdicts", build.build_number))
            .await
            .ok()
    }
}

fn kinds(verdicts: &BuildVerdicts) -> Vec<(&str, VerdictKind)> {
    let name =
        |verdict: &FailureVerdict| verdict.display_name.rfind(' ').map_or(0, |space| space + 1);
    verdicts
        .failures
        .iter()
        .map(|verdict| (&verdict.display_name[name(verdict)..], verdict.verdict.kind))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_known_flaky_and_fixed_are_told_apart() {
    let series = Series::start().await;
    series
        .build(
            "a1",
            &[
                Case::Pass("steady"),
                Case::Pass("breaks"),
                Case::Fail("old", "old trouble"),
                Case::Pass("race"),
            ],
        )
        .await;
    series
        .build(
            "a1",
            &[
                Case::Pass("steady"),
                Case::Pass("breaks"),
                Case::Fail("old", "old trouble"),
                Case::Fail("race", "lost the race"),
            ],
        )
        .await;
    let third = series
        .build(
            "b2",
            &[
                Case::Pass("steady"),
                Case::Fail("breaks", "41 is not 42"),
                Case::Fail("old", "old trouble"),
                Case::Fail("race", "lost the race"),
            ],
        )
        .await;
    let (new, flaky, known) = (VerdictKind::New, VerdictKind::Flaky, VerdictKind::Known);
    assert_eq!(
        kinds(&third),
        [("breaks", new), ("race", flaky), ("old", known)]
    );
    let verdict = |name: &str| {
        &third
            .failures
            .iter()
            .find(|verdict| verdict.display_name.ends_with(name))
            .expect(name)
            .verdict
    };
    let since = verdict("old").known_since.as_ref().expect("since when");
    assert_eq!((since.first.build_number, since.times), (Some(1), 3));
    let pair = &verdict("race").flaky_pairs[0];
    assert_eq!(
        (
            pair.commit.as_str(),
            pair.passed.build_number,
            pair.failed.build_number
        ),
        ("a1", Some(1), Some(2))
    );
    assert!(third.failures.iter().all(|verdict| !verdict.verdict.reason.is_empty() && !verdict.verdict.method.is_empty()));

    let fourth = series
        .build(
            "c3",
            &[
                Case::Pass("steady"),
                Case::Pass("breaks"),
                Case::Pass("old"),
                Case::Pass("race"),
            ],
        )
        .await;
    let fixed: Vec<&str> = kinds(&fourth)
        .into_iter()
        .filter(|(_, kind)| *kind == VerdictKind::Fixed)
        .map(|(name, _)| name)
        .collect();
    assert!(
        fixed.contains(&"breaks") && fixed.contains(&"old"),
        "{fixed:?}"
    );
    let build: Build = series.server.root.get("/builds/3").await.ok();
    assert_eq!(
        (
            build.tps.new_failures.len(),
            build.tps.flaky_tests.len(),
            build.tps.known_failures.len()
        ),
        (1, 1, 1)
    );
    assert_eq!(build.tests.flaky, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_most_similar_earlier_failure_is_shown() {
    let series = Series::start().await;
    series
        .build(
            "a1",
            &[
                Case::Fail("pays", "card gateway did not answer within 30 s"),
                Case::Fail("prints", "paper jam in tray 2"),
            ],
        )
        .await;
    let second = series
        .build(
            "b2",
            &[Case::Fail(
                "refunds",
                "card gateway did not answer within 31 s",
            )],
        )
        .await;
    let similar = &second.failures[0].similar;
    assert!(similar[0].display_name.ends_with("pays"), "{similar:?}");
    assert!(similar[0].similarity > 0.5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cause_is_named_only_after_people_taught_it() {
    let series = Series::start().await;
    let root = series.server.root.clone();
    let network: Vec<String> = (0..6)
        .map(|n| format!("connection refused by host 10.0.0.{n} while fetching prices"))
        .collect();
    let product: Vec<String> = (0..6)
        .map(|n| format!("expected total {n}.00 but the cart says {}.50", n + 1))
        .collect();
    let mut labelled = 0;
    for (messages, category) in [(&network, "Network"), (&product, "Product bug")] {
        for (place, message) in messages.iter().enumerate() {
            let name = format!("{}_{place}", category.replace(' ', "_"));
            let verdicts = series
                .build(&format!("c{labelled}"), &[Case::Fail(&name, message)])
                .await;
            let failure = &verdicts.failures[0];
            if labelled < 9 {
                assert_eq!(
                    failure.root_cause.category, None,
                    "it is silent while it has too few labels"
                );
                assert!(!failure.root_cause.reason.is_empty());
            }
            let path = format!("/failures/{}/label", failure.result_id);
            let labelled_verdict: FailureVerdict =
                root.post(&path, &json!({"category": category})).await.ok();
            assert_eq!(
                labelled_verdict.root_cause.category.as_deref(),
                Some(category)
            );
            assert_eq!(labelled_verdict.root_cause.source, "label");
            labelled += 1;
        }
    }
    series.server.settled().await;
    let taught = series
        .build(
            "d1",
            &[Case::Fail(
                "fetches",
                "connection refused by host 10.0.0.77 while fetching stock",
            )],
        )
        .await;
    let cause = &taught.failures[0].root_cause;
    assert_eq!(
        (cause.category.as_deref(), cause.source.as_str()),
        (Some("Network"), "model"),
        "{cause:?}"
    );
    assert!(
        cause
            .confidence
            .is_some_and(|confidence| (0.5..=1.0).contains(&confidence))
    );
    let path = format!("/failures/{}/label", taught.failures[0].result_id);
    root.post(&path, &json!({"category": ""}))
        .await
        .refused(422, "invalid_category");
}
