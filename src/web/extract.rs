//! Extractors whose refusals are problem documents.

use super::error::ApiError;
use axum::body::BodyDataStream;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Largest JSON body; reports and files have their own, larger limits.
const JSON_LIMIT: usize = 2 * 1024 * 1024;

/// A JSON body, in or out.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let kind = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        if !(essence.eq_ignore_ascii_case("application/json")
            || essence.to_ascii_lowercase().ends_with("+json"))
        {
            return Err(ApiError::new(
                415,
                "not_json",
                format!("content type `{essence}` is not JSON"),
            )
            .hint("send `Content-Type: application/json`"));
        }
        let Body(bytes) = Body::<JSON_LIMIT>::from_request(request, state).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            let what = if error.is_data() {
                "invalid_field"
            } else {
                "invalid_json"
            };
            let status = if error.is_data() { 422 } else { 400 };
            ApiError::new(status, what, error.to_string()).at_line(Some(error.line() as u64))
        })
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => ApiError::internal(&error).into_response(),
        }
    }
}

/// A whole body of at most `LIMIT` bytes.
pub struct Body<const LIMIT: usize>(pub Bytes);

impl<S: Send + Sync, const LIMIT: usize> FromRequest<S> for Body<LIMIT> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        match axum::body::to_bytes(request.into_body(), LIMIT).await {
            Ok(bytes) => Ok(Self(bytes)),
            Err(error) => Err(body_error(&error, LIMIT)),
        }
    }
}

fn body_error(error: &axum::Error, limit: usize) -> ApiError {
    // axum hides the kind of a body's error; its text is the only difference between too long and broken off.
    if error.to_string().contains("length limit") {
        ApiError::new(
            413,
            "body_too_large",
            format!("the body is larger than {limit} bytes"),
        )
    } else {
        ApiError::bad_request("body_broken_off", "the body broke off")
    }
}

/// A body that is read as it arrives.
pub struct Upload(pub BodyDataStream);

impl<S: Send + Sync> FromRequest<S> for Upload {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        Ok(Self(request.into_body().into_data_stream()))
    }
}

/// Parameters of the path.
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(_)) => {
                let path: String = parts.uri.path().chars().take(200).collect();
                let detail = format!(
                    "nothing has the address `{path}`: it holds a text where an id belongs"
                );
                Err(ApiError::not_found("no_such_path", detail))
            }
            Err(error) => Err(ApiError::internal(&error)),
        }
    }
}

/// Parameters of the query string.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(QueryRejection::FailedToDeserializeQueryString(error)) => Err(ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY.as_u16(),
                "invalid_query",
                error.body_text(),
            )),
            Err(error) => Err(ApiError::bad_request("invalid_query", error.to_string())),
        }
    }
}

impl From<BytesRejection> for ApiError {
    fn from(error: BytesRejection) -> Self {
        Self::new(
            error.status().as_u16(),
            "body_broken_off",
            error.body_text(),
        )
    }
}
