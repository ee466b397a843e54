//! Requests and responses in JSON.

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::http::{HeaderName, HeaderValue, Response};
use ureq::{Agent, Body};

use super::retry::{Pace, asked_wait, is_passing, random_share};
use super::{ApiKey, Limits, RemoteError};
use crate::plain::{plain, shortened};

/// Most bytes of an error's body that are read.
const MAX_ERROR_BYTES: u64 = 16 << 10;
/// Most characters of a server's text that an error keeps.
const MAX_ERROR_CHARS: usize = 500;

/// Sends requests to one address within its limits.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    url: String,
    header: Option<(HeaderName, HeaderValue)>,
    key: Option<ApiKey>,
    limits: Limits,
    pace: Pace,
    n_requests: AtomicU64,
}

/// A try that failed.
struct Failure {
    error: RemoteError,
    /// Whether the next try may succeed, and the wait that the server asks for.
    again: Option<Option<Duration>>,
}

impl From<RemoteError> for Failure {
    fn from(error: RemoteError) -> Self {
        Self { error, again: None }
    }
}

impl Client {
    /// A client of `url`, which sends `key` after `prefix` in the header `name`.
    pub(super) fn new(
        url: String,
        key: Option<ApiKey>,
        (name, prefix): (&'static str, &str),
        limits: Limits,
    ) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(limits.timeout))
            .http_status_as_error(false)
            // A redirect would carry the key to another host.
            .max_redirects(0)
            .max_redirects_will_error(false)
            // By default it is read from the environment.
            .proxy(None);
        let header = key.as_ref().map(|key| (HeaderName::from_static(name), key.header(prefix)));
        let pace = Pace::new(limits.spacing);
        let agent = config.build().into();
        Self { agent, url, header, key, limits, pace, n_requests: AtomicU64::new(0) }
    }

    /// Number of requests so far, failed ones included.
    pub(super) fn n_requests(&self) -> u64 {
        self.n_requests.load(Ordering::Relaxed)
    }

    /// The service's JSON answer to `body`, with repeated tries.
    pub(super) fn post(&self, body: &Value) -> Result<Value, RemoteError> {
        let body = body.to_string();
        let mut attempt = 1;
        loop {
            let failure = match self.try_once(&body, attempt) {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let wait = failure
                .again
                .filter(|_| attempt < self.limits.tries)
                .and_then(|asked| self.limits.wait(attempt, asked, random_share()));
            let Some(wait) = wait else { return Err(failure.error) };
            thread::sleep(wait);
            attempt += 1;
        }
    }

    /// Text of the server, safe to show. The key is redacted after invisible characters were removed,
    /// which could have split it.
    pub(super) fn shown(&self, text: &str) -> String {
        self.redacted(&plain(text))
    }

    /// `text` without the key.
    pub(super) fn redacted(&self, text: &str) -> String {
        self.key.as_ref().map_or_else(|| text.to_owned(), |key| key.redacted(text))
    }

    fn try_once(&self, body: &str, attempt: u32) -> Result<Value, Failure> {
        self.count()?;
        thread::sleep(self.pace.turn(Instant::now()));
        let mut request = self.agent.post(&self.url).header("content-type", "application/json");
        if let Some((name, value)) = &self.header {
            request = request.header(name, value);
        }
        let mut response = request.send(body).map_err(|error| self.failed(error, attempt))?;
        if !response.status().is_success() {
            return Err(self.status(response, attempt));
        }
        let limit = self.limits.max_response_bytes;
        let bytes = response.body_mut().with_config().limit(limit).read_to_vec();
        let bytes = bytes.map_err(|error| self.failed(error, attempt))?;
        serde_json::from_slice(&bytes).map_err(|error| RemoteError::NotJson(error).into())
    }

    /// Counts a request if one more is allowed.
    fn count(&self) -> Result<(), RemoteError> {
        let limit = self.limits.max_requests.unwrap_or(u64::MAX);
        self.n_requests
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < limit).then_some(n + 1))
            .map(|_| ())
            .map_err(|_| RemoteError::Spent { limit })
    }

    fn failed(&self, error: ureq::Error, attempt: u32) -> Failure {
        let limit = self.limits.timeout;
        match error {
            ureq::Error::Timeout(_) => {
                Failure { error: RemoteError::TimedOut { limit, attempt }, again: Some(None) }
            }
            ureq::Error::BodyExceedsLimit(limit) => RemoteError::TooLarge { limit }.into(),
            error => {
                let passes = matches!(error, ureq::Error::Io(_) | ureq::Error::ConnectionFailed);
                let error = RemoteError::Connection { attempt, source: Box::new(error) };
                Failure { error, again: passes.then_some(None) }
            }
        }
    }

    fn status(&self, response: Response<Body>, attempt: u32) -> Failure {
        let status = response.status().as_u16();
        let header = response.headers().get("retry-after").cloned();
        let mut bytes = Vec::new();
        let body = response.into_body();
        // The body of an error is a courtesy: the status stands even if the body breaks off.
        let _ = body.into_reader().take(MAX_ERROR_BYTES).read_to_end(&mut bytes);
        let retry_after = asked_wait(header.as_ref().and_then(|value| value.to_str().ok()), &bytes);
        let body = shortened(self.shown(&String::from_utf8_lossy(&bytes)).trim(), MAX_ERROR_CHARS);
        Failure {
            error: RemoteError::Status { status, attempt, retry_after, body },
            again: is_passing(status).then_some(retry_after),
        }
    }
}
