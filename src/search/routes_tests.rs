//! Search through its front door.

use super::{Search, SearchParts};
use crate::accounts::TestServer;
use crate::artifacts::Artifacts;
use crate::builds::Builds;
use crate::jobs::Jobs;
use crate::logs::Logs;
use crate::projects::Projects;
use crate::reports::Reports;
use crate::storage::OpenOptions;

#[tokio::test]
async fn what_cannot_be_answered_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (_, volumes, _) = OpenOptions::new(dir.path().join("data")).open().unwrap();
    let server = TestServer::new(|storage, clock| {
        let projects = Projects::new(storage.clone(), clock.clone());
        let jobs = Jobs::new(storage.clone(), clock.clone(), projects.clone());
        let logs = Logs::new(storage.clone(), volumes.clone());
        let artifacts = Artifacts::new(storage.clone(), volumes.clone());
        let reports = Reports::new(storage.clone(), volumes.clone(), clock.clone());
        let builds = Builds::new(
            storage.clone(),
            clock.clone(),
            projects.clone(),
            jobs,
            logs.clone(),
            artifacts,
            reports.clone(),
        );
        let (storage, clock) = (storage.clone(), clock.clone());
        let parts = SearchParts {
            storage,
            clock,
            projects,
            logs,
            builds,
            reports,
        };
        super::routes(Search::open(&dir.path().join("text"), parts).unwrap())
    });
    let root = server.set_up().await;
    let check = async |path: &str, status: u16, code: &str| {
        let answer = server.get(path, &root).await;
        assert_eq!(answer.refusal(), (status, code), "{path}");
        answer
    };
    let bad = check("/search?q=good%20(bad", 422, "invalid_search").await;
    assert!(bad.text("detail").ends_with("(at character 6)"), "{bad:?}");
    assert!(
        bad.text("hint").starts_with("good (bad\n     ^\n"),
        "{bad:?}"
    );
    check("/search", 422, "invalid_query").await;
    check("/search?q=word&limit=0", 422, "invalid_limit").await;
    check("/search?q=word&cursor=x", 422, "invalid_cursor").await;
    assert_eq!(server.get("/search?q=word", "").await.status, 401);
    let answer = server.get("/search?q=Word", &root).await;
    assert_eq!(
        (answer.status, answer.body["hits"].as_array().map(Vec::len)),
        (200, Some(0)),
        "{answer:?}"
    );
    assert!(answer.body["index_lag"].as_u64() > Some(0), "{answer:?}");
}
