//! The HTTP of reports and of tests, as a client sees it.

use super::Reports;
use crate::accounts::Principal;
use crate::history::{self, History};
use crate::kit::Clock;
use crate::projects::Projects;
use crate::storage::OpenOptions;
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::Value;
use testhide_protocol::api::{CreateProject, ProjectPermission};
use testhide_protocol::{ProjectId, Timestamp, UserId};
use tower::ServiceExt;

struct Server {
    router: Router,
    project: ProjectId,
    _dir: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (storage, volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
        let clock = Clock::manual(Timestamp(1_000));
        let projects = Projects::new(storage.clone(), clock.clone());
        let new = CreateProject {
            name: "shop".to_owned(),
            description: String::new(),
        };
        let project = projects.create(&Principal::system(), new).await.unwrap().id;
        let reports = Reports::new(storage.clone(), volumes, clock);
        let routes = super::routes(reports, projects.clone())
            .merge(history::routes(History::new(storage), projects));
        Self {
            router: routes.split_for_parts().0,
            project,
            _dir: dir,
        }
    }

    async fn send(&self, principal: Option<&Principal>, request: Request<Body>) -> (u16, Value) {
        let mut request = request;
        if let Some(principal) = principal {
            request.extensions_mut().insert(principal.clone());
        }
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), 1 << 20)
            .await
            .unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn get(&self, principal: &Principal, path: &str) -> (u16, Value) {
        self.send(
            Some(principal),
            Request::get(path).body(Body::empty()).unwrap(),
        )
        .await
    }
}

fn post(path: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut request = Request::builder().method(Method::POST).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

const PATH: &str = "/projects/shop/reports";
const BODY: &str = "<testsuite name=\"s\"><testcase classname=\"c\" name=\"a\"><failure message=\"m\"/></testcase></testsuite>";

#[tokio::test]
async fn from_an_upload_to_the_history_of_its_test() {
    let server = Server::start().await;
    let root = Principal::system();
    let upload = |headers: &[(&str, &str)]| {
        post(
            "/projects/shop/reports?name=a.xml&branch=dev",
            headers,
            BODY,
        )
    };
    let (status, report) = server
        .send(
            Some(&root),
            upload(&[
                ("idempotency-key", "k"),
                ("content-type", "text/xml; charset=utf-8"),
            ]),
        )
        .await;
    assert_eq!(
        (status, &report["name"], &report["counts"]["failed"]),
        (201, &"a.xml".into(), &1.into())
    );
    let (status, again) = server
        .send(Some(&root), upload(&[("idempotency-key", "k")]))
        .await;
    assert_eq!((status, &again), (200, &report));

    let id = report["id"].as_str().unwrap();
    assert_eq!(
        server.get(&root, &format!("/reports/{id}")).await,
        (200, report.clone())
    );
    let (_, page) = server.get(&root, PATH).await;
    assert_eq!(page["items"], Value::Array(vec![report.clone()]));
    let (_, results) = server
        .get(
            &root,
            &format!("/reports/{id}/results?outcome=failed&limit=1"),
        )
        .await;
    let result = &results["items"][0];
    assert_eq!(
        (result["message"].as_str(), &results["next"]),
        (Some("m"), &Value::Null)
    );
    let (_, whole) = server
        .get(
            &root,
            &format!("/results/{}", result["id"].as_str().unwrap()),
        )
        .await;
    assert_eq!(whole["signature"], result["signature"]);

    let test = result["test_id"].as_str().unwrap();
    let (_, tests) = server.get(&root, "/projects/shop/tests?q=C").await;
    assert_eq!(
        (
            tests["items"][0]["id"].as_str(),
            tests["items"][0]["runs"].as_u64()
        ),
        (Some(test), Some(1))
    );
    assert_eq!(
        server.get(&root, &format!("/tests/{test}")).await.1["last_outcome"],
        "failed"
    );
    let (_, history) = server
        .get(&root, &format!("/tests/{test}/history?branch=dev"))
        .await;
    assert_eq!(history["items"][0]["result_id"], result["id"]);
    let (_, history) = server
        .get(&root, &format!("/tests/{test}/history?branch=other"))
        .await;
    assert_eq!(history["items"].as_array().map(Vec::len), Some(0));

    let stranger = Principal::new(UserId::generate(), "eve", false);
    let result = result["id"].as_str().unwrap();
    for path in [
        PATH,
        &format!("/reports/{id}"),
        &format!("/reports/{id}/results"),
        &format!("/results/{result}"),
        "/projects/shop/tests",
        &format!("/tests/{test}"),
        &format!("/tests/{test}/history"),
    ] {
        assert_eq!(server.get(&stranger, path).await.0, 404, "{path}");
        assert_eq!(
            server
                .send(None, Request::get(path).body(Body::empty()).unwrap())
                .await
                .0,
            401,
            "{path}"
        );
    }
    for path in [
        format!("/reports/{id}/results?outcome=odd"),
        format!("/reports/{id}/results?limit=0"),
        format!("/tests/{test}/history?cursor=odd"),
    ] {
        assert_eq!(server.get(&root, &path).await.0, 422, "{path}");
    }
    assert_eq!(
        server.get(&root, &format!("/results/{id}")).await.0,
        404,
        "a report is no result"
    );
}

#[tokio::test]
async fn uploads_that_are_refused() {
    let server = Server::start().await;
    let root = Principal::system();
    let reader = Principal::new(UserId::generate(), "bob", false)
        .granting(server.project, [ProjectPermission::Read]);
    let check = async |principal: &Principal,
                       headers: &[(&str, &str)],
                       body: &str,
                       status: u16,
                       code: &str,
                       line: Option<u64>| {
        let (found, problem) = server
            .send(Some(principal), post(PATH, headers, body))
            .await;
        assert_eq!(
            (found, problem["code"].as_str(), problem["line"].as_u64()),
            (status, Some(code), line),
            "{headers:?} {body}"
        );
    };
    for kind in [
        "text/html",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "image/svg+xml",
        "xml",
    ] {
        check(
            &root,
            &[("content-type", kind)],
            BODY,
            415,
            "not_a_report",
            None,
        )
        .await;
    }
    check(&reader, &[], BODY, 403, "not_allowed", None).await;
    check(
        &root,
        &[("content-length", "600000000")],
        "",
        413,
        "body_too_large",
        None,
    )
    .await;
    check(&root, &[], "", 422, "report_empty", None).await;
    check(
        &root,
        &[],
        "no report",
        422,
        "report_not_recognised",
        Some(1),
    )
    .await;
    check(
        &root,
        &[],
        "<testsuites>\n<!DOCTYPE a>",
        422,
        "report_refused",
        Some(2),
    )
    .await;
    check(
        &root,
        &[("idempotency-key", "")],
        BODY,
        422,
        "invalid_field",
        None,
    )
    .await;
    for kind in [
        "application/xml",
        "application/json",
        "application/octet-stream",
        "text/plain",
        "application/junit+xml",
    ] {
        let (status, _) = server
            .send(
                Some(&root),
                post(
                    PATH,
                    &[("content-type", kind), ("idempotency-key", kind)],
                    BODY,
                ),
            )
            .await;
        assert_eq!(status, 201, "{kind}");
    }
    check(
        &root,
        &[("idempotency-key", "text/plain")],
        "<testsuite><testcase name=\"b\"/></testsuite>",
        409,
        "idempotency_key_reused",
        None,
    )
    .await;
}
