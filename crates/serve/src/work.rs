//! The way of a request with pictures: admission, body, work on each picture, answer.

use std::future::Future;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::future::try_join_all;
use serde::Serialize;
use tokio::time::timeout;

use crate::body::{self, Share};
use crate::client::Client;
use crate::limits::Limits;
use crate::problem::{Problem, ProblemKind};
use crate::state::State;

/// One picture of a request.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// Untrusted text.
    pub(crate) name: Option<String>,
    pub(crate) bytes: Bytes,
    /// The bytes count as taken while a copy of this lives.
    _share: Arc<Share>,
}

/// The answer for one picture.
#[derive(Serialize)]
struct Item<'a, T> {
    name: Option<&'a str>,
    #[serde(flatten)]
    outcome: Outcome<'a, T>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outcome<'a, T> {
    Answer(T),
    Error { error: Fault<'a> },
}

#[derive(Serialize)]
struct Fault<'a> {
    kind: ProblemKind,
    detail: &'a str,
}

#[derive(Serialize)]
struct Results<'a, T> {
    results: Vec<Item<'a, T>>,
}

/// Does `work` on each picture of `request`, and answers with the results in their order.
///
/// A picture that fails, or is not done in time, gets an error in its place. It is the error of the whole request
/// where it is the only picture. If the service refuses one picture, the others are given up at once.
pub(crate) async fn each<T, F>(
    state: &Arc<State>,
    request: Request,
    work: impl Fn(Client, File) -> F,
) -> Result<Response, Problem>
where
    T: Serialize,
    F: Future<Output = Result<T, Problem>>,
{
    let limits = &state.limits;
    let client = Client::of(request.extensions());
    let _place = state.admission.enter(client, limits)?;
    let (parts, body) = request.into_parts();
    let uploads = body::read(&parts.headers, body, &state.memory, limits).await?;
    let files: Vec<File> = uploads
        .files
        .into_iter()
        .map(|file| File { name: file.name, bytes: file.bytes, _share: Arc::clone(&uploads.share) })
        .collect();
    let outcomes = try_join_all(files.iter().map(|file| {
        let work = timeout(limits.timeout, work(client, file.clone()));
        async move {
            match work.await.unwrap_or_else(|_| Err(timed_out(limits))) {
                Err(problem) if problem.kind.is_of_the_service() => Err(problem),
                outcome => Ok(outcome),
            }
        }
    }));
    let outcomes = outcomes.await?;
    outcomes.iter().for_each(|outcome| state.metrics.picture(outcome.is_ok()));
    answer(&files, outcomes)
}

fn timed_out(limits: &Limits) -> Problem {
    let seconds = limits.timeout.as_secs_f64();
    Problem::new(ProblemKind::TimedOut, format!("the work took more than {seconds} seconds"))
}

fn answer<T: Serialize>(
    files: &[File],
    outcomes: Vec<Result<T, Problem>>,
) -> Result<Response, Problem> {
    if let [Err(problem)] = &outcomes[..] {
        return Err(problem.clone());
    }
    let results = files.iter().zip(&outcomes).map(|(file, outcome)| {
        let outcome = match outcome {
            Ok(answer) => Outcome::Answer(answer),
            Err(problem) => {
                Outcome::Error { error: Fault { kind: problem.kind, detail: &problem.detail } }
            }
        };
        Item { name: file.name.as_deref(), outcome }
    });
    Ok(json(&Results { results: results.collect() }))
}

/// `value` as an answer.
pub(crate) fn json(value: &impl Serialize) -> Response {
    let body = serde_json::to_vec(value).expect("texts and numbers are always JSON");
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

/// Whether the query of `request` asks for `name` by `name=1`. With `name=0`, or without it, it does not.
///
/// # Errors
///
/// [`ProblemKind::InvalidInput`] for another value.
pub(crate) fn asks_for(request: &Request, name: &str) -> Result<bool, Problem> {
    let pairs = request.uri().query().unwrap_or_default().split('&');
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    match pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next_back() {
        None | Some("0") => Ok(false),
        Some("1") => Ok(true),
        Some(_) => {
            Err(Problem::new(ProblemKind::InvalidInput, format!("{name} in the query is 0 or 1")))
        }
    }
}
