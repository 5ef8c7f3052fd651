//! The API's description (OpenAPI 3.1, made from the code) and a page that shows it.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use std::fmt::Write;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, Info, OpenApiBuilder};

/// The description without its paths.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("access or API token"))
        .build();
    let mut components = Components::new();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let mut info = Info::new("testhide", env!("CARGO_PKG_VERSION"));
    info.description =
        Some("runs a team's tests and tells people what the failures mean".to_owned());
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .build()
}

/// The description as JSON and as a page.
pub(super) fn routes(description: &utoipa::openapi::OpenApi) -> Router {
    let json = description
        .to_json()
        .expect("the description is plain data");
    let page = page(description);
    let csp = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    Router::new()
        .route(
            "/api/v3/openapi.json",
            get(|| async move { ([(header::CONTENT_TYPE, "application/json")], json).into_response() }),
        )
        .route(
            "/api/v3/documentation",
            get(move || async move {
                let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, csp)];
                (headers, page).into_response()
            }),
        )
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
color:#1b1f24;background:#fff}h2{margin-top:2.5rem;border-bottom:1px solid #ccd}h3{font-size:1rem;margin:1.5rem 0 .25rem}\
code{background:#eef1f5;padding:.1rem .3rem;border-radius:.2rem}table{border-collapse:collapse;margin:.25rem 0}\
td{padding:.1rem .8rem .1rem 0;vertical-align:top}@media(prefers-color-scheme:dark){body{color:#e6e9ee;background:#15181c}\
code{background:#262b33}a{color:#8ab4f8}}";

/// A page that needs no script: every operation by tag, with its parameters and answers.
fn page(description: &utoipa::openapi::OpenApi) -> String {
    let mut by_tag: std::collections::BTreeMap<String, Vec<(String, &Operation)>> =
        std::collections::BTreeMap::new();
    for (path, item) in &description.paths.paths {
        let methods = [
            ("GET", &item.get),
            ("POST", &item.post),
            ("PUT", &item.put),
            ("PATCH", &item.patch),
            ("DELETE", &item.delete),
        ];
        for (method, operation) in methods {
            if let Some(operation) = operation {
                let tag = operation
                    .tags
                    .as_ref()
                    .and_then(|tags| tags.first())
                    .cloned()
                    .unwrap_or_default();
                by_tag
                    .entry(tag)
                    .or_default()
                    .push((format!("{method} {path}"), operation));
            }
        }
    }
    let mut html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <title>testhide API</title><style>{STYLE}</style><h1>testhide API</h1>\
         <p>Machine-readable: <a href=openapi.json>openapi.json</a>. Send <code>Authorization: Bearer TOKEN</code>; \
         errors are <code>application/problem+json</code> with a stable <code>code</code>.</p>"
    );
    for (tag, operations) in by_tag {
        let _ = write!(html, "<h2>{}</h2>", escape(&tag));
        for (title, operation) in operations {
            let summary = operation.summary.as_deref().unwrap_or_default();
            let _ = write!(
                html,
                "<h3><code>{}</code></h3><p>{}</p><table>",
                escape(&title),
                escape(summary)
            );
            for parameter in operation.parameters.iter().flatten() {
                let utoipa::openapi::RefOr::T(parameter) = parameter else {
                    continue;
                };
                let text = parameter.description.as_deref().unwrap_or_default();
                let _ = write!(
                    html,
                    "<tr><td><code>{}</code><td>{}",
                    escape(&parameter.name),
                    escape(text)
                );
            }
            for (status, response) in &operation.responses.responses {
                if let utoipa::openapi::RefOr::T(response) = response {
                    let _ = write!(
                        html,
                        "<tr><td>{}<td>{}",
                        escape(status),
                        escape(&response.description)
                    );
                }
            }
            html.push_str("</table>");
        }
    }
    html
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
