//! Search: every line that was ever written, for those who may read it.

use crate::support::{Case, TestServer, job_with_script, junit};
use serde_json::json;
use testhide_protocol::api::{LogPage, Report, SearchAnswer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_of_a_log_is_found_and_leads_to_its_place() {
    let server = TestServer::start().await;
    let agent = server.agent("one", &[], 1).await;
    let script = "seq 1 5000 | sed 's/^/noise /'; echo 'checkout timeout after 30s in src/pay/CardGateway.java'; echo 'checkout fine'";
    let job = server.job("pay", job_with_script(script)).await;
    server.trigger(&job, json!({"branch": "main"})).await;
    server.finished(1).await;
    server.settled().await;
    for query in [
        "timeout%20AND%20checkout",
        "cardgateway",
        "%22checkout%20timeout%22",
        "cardgate*%20job:pay",
        "checkout%20-fine",
        "/time[a-z]%2But/",
    ] {
        let answer: SearchAnswer = server.root.get(&format!("/search?q={query}")).await.ok();
        assert_eq!(answer.hits.len(), 1, "{query}: {answer:?}");
        let hit = &answer.hits[0];
        assert_eq!(
            (hit.kind.as_str(), hit.build_number, hit.job.as_str()),
            ("log", Some(1), "pay")
        );
        let line = &hit.lines[0];
        let page: LogPage = server
            .root
            .get(&format!("/builds/1/log?from={}&limit=1", line.number))
            .await
            .ok();
        assert_eq!(
            page.lines[0].text, "checkout timeout after 30s in src/pay/CardGateway.java",
            "{query}"
        );
        assert!(!line.highlights.is_empty(), "{query}");
    }
    let none: SearchAnswer = server.root.get("/search?q=nothinglikethis").await.ok();
    assert!(none.hits.is_empty());
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_are_found_and_strangers_find_nothing() {
    let server = TestServer::start().await;
    let _: Report = server
        .root
        .upload(
            "/projects/shop/reports",
            "application/xml",
            junit(&[Case::Fail("adds_up", "total is 41, not 42")]),
        )
        .await
        .ok();
    server.settled().await;
    let answer: SearchAnswer = server.root.get("/search?q=total%20kind:failure").await.ok();
    assert_eq!(answer.hits.len(), 1, "{answer:?}");
    assert!(
        answer.hits[0]
            .test
            .as_deref()
            .is_some_and(|test| test.contains("adds_up"))
    );
    assert!(answer.hits[0].result_id.is_some());
    let ann = server.user("ann").await;
    let answer: SearchAnswer = ann.get("/search?q=total").await.ok();
    assert!(
        answer.hits.is_empty(),
        "a foreign project's failure is not found"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_query_says_where_it_is_wrong() {
    let server = TestServer::start().await;
    for query in ["%22open", "(a", "a%20AND", "before:never", "/a/"] {
        let answer = server.root.get(&format!("/search?q={query}")).await;
        assert_eq!(answer.status.as_u16(), 422, "{query}");
    }
}
