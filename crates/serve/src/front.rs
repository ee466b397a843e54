//! The checks before every route, and the count behind it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State as Of};
use axum::http::HeaderValue;
use axum::http::header::{REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::host::is_local;
use crate::problem::{Problem, ProblemKind};
use crate::state::State;

/// The name in the figures of paths that do not exist.
const OTHER: &str = "other";

/// Answers a request by its route, if it passes all checks.
pub(crate) async fn front(Of(state): Of<Arc<State>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let path = path.as_ref().map_or(OTHER, MatchedPath::as_str);
    let mut response = match checked(&state, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    state.metrics.request(path, response.status().as_u16(), start.elapsed());
    response
}

/// Lets a request with the token pass, where one is needed.
pub(crate) async fn token(
    Of(state): Of<Arc<State>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if state.token.as_ref().is_some_and(|token| !token.is_in(request.headers())) {
        let detail = "a token is needed: send the header `Authorization: Bearer TOKEN`";
        return Err(Problem::new(ProblemKind::Unauthorized, detail));
    }
    Ok(next.run(request).await)
}

fn checked(state: &State, request: &Request) -> Result<(), Problem> {
    if state.is_local && !is_local(request) {
        let detail = "this service answers only requests to localhost, 127.0.0.1 or [::1], and none of a website";
        return Err(Problem::new(ProblemKind::ForbiddenHost, detail));
    }
    if state.is_closing.load(Ordering::Relaxed) {
        return Err(Problem::new(ProblemKind::Closing, "the service ends; try again later"));
    }
    Ok(())
}
