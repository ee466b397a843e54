//! Errors as clients get them: problem details for HTTP APIs (RFC 9457).

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use cifake::{ErrorKind, error_chain};
use serde::Serialize;

/// The media type of a [`Problem`].
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// Seconds after which a client may ask again.
const RETRY_SECONDS: &str = "1";

/// The kinds of problems: their names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProblemKind {
    /// The request or the picture breaks a rule.
    InvalidInput,
    /// The token is missing or wrong.
    Unauthorized,
    /// The request came by the name of a host that this service does not have.
    ForbiddenHost,
    /// There is no such path.
    NotFound,
    /// The path does not know the method.
    MethodNotAllowed,
    /// The body came too slowly.
    TooSlow,
    /// The request or the picture exceeds a limit on size.
    TooLarge,
    /// The body has a type, or the picture a format, that is not read.
    Unsupported,
    /// The client has too many requests open.
    TooManyRequests,
    /// The service has a fault.
    Internal,
    /// The queue is full.
    Overloaded,
    /// The service ends.
    Closing,
    /// The work took too long.
    TimedOut,
}

impl ProblemKind {
    /// Every kind, by status.
    pub(crate) const ALL: [Self; 13] = [
        Self::InvalidInput,
        Self::Unauthorized,
        Self::ForbiddenHost,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::TooSlow,
        Self::TooLarge,
        Self::Unsupported,
        Self::TooManyRequests,
        Self::Internal,
        Self::Overloaded,
        Self::Closing,
        Self::TimedOut,
    ];

    /// The status of an answer of this kind.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::InvalidInput => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::ForbiddenHost => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Overloaded | Self::Closing => StatusCode::SERVICE_UNAVAILABLE,
            Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// Whether the whole service refuses, so that the other pictures of a request get no answer either.
    pub(crate) fn is_of_the_service(self) -> bool {
        matches!(self, Self::Overloaded | Self::Closing)
    }
}

/// An error as a client gets it. It holds no path and no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) kind: ProblemKind,
    pub(crate) detail: String,
}

impl Problem {
    pub(crate) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// The fault of the service's own that a client need not know more of.
    pub(crate) fn internal() -> Self {
        Self::new(ProblemKind::Internal, "the service could not do its work; it is not your fault")
    }

    /// Too much work is waiting.
    pub(crate) fn overloaded() -> Self {
        Self::new(ProblemKind::Overloaded, "too many pictures are waiting; try again later")
    }
}

impl From<cifake::Error> for Problem {
    fn from(error: cifake::Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::InvalidInput => ProblemKind::InvalidInput,
            ErrorKind::TooLarge => ProblemKind::TooLarge,
            ErrorKind::Unsupported => ProblemKind::Unsupported,
            // Their texts may name files of the service.
            _ => return Self::internal(),
        };
        Self::new(kind, error_chain(&error))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Fields<'a> {
            r#type: &'static str,
            title: &'static str,
            status: u16,
            detail: &'a str,
            kind: ProblemKind,
        }
        let status = self.kind.status();
        let fields = Fields {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: &self.detail,
            kind: self.kind,
        };
        let body = serde_json::to_string(&fields).expect("texts and numbers are always JSON");
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The answer for a path that does not exist.
pub(crate) async fn not_found() -> Problem {
    Problem::new(ProblemKind::NotFound, "there is no such path; GET /openapi.json lists them all")
}

/// The answer for a method that a path does not know; `Allow` is set by the router.
pub(crate) async fn method_not_allowed() -> Problem {
    Problem::new(ProblemKind::MethodNotAllowed, "this path does not know the method")
}
