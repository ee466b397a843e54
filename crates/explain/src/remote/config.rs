//! Configuration of remote explainers.

use std::time::Duration;

use ureq::http::Uri;

use super::RemoteError;
use crate::quality::MIN_ITEMS;

/// Longest side of what is sent; models scale larger pictures down.
const MAX_SIDE: u32 = 2048;

/// Configuration of a remote explainer.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteConfig {
    /// Base address of the service. `http` is allowed for this machine, or for a service without a
    /// key.
    pub base_url: String,
    /// Name of the model, as the service calls it.
    pub model: String,
    /// The freedom of its choice of words.
    pub sampling: Sampling,
    /// Least longer side of the pictures that are sent, in pixels, up to 2,048. Pixels are repeated to
    /// reach it. The default is 32: pictures of CIFAKE are sent as they are.
    ///
    /// Repeated pixels add nothing to a picture, while smooth or learned upscalers add artifacts of
    /// their own. Many models see a picture of 32 pixels as one or four tokens.
    pub side: u32,
    /// Fewest findings of an answer, from 1 to [`MAX_FINDINGS`](crate::MAX_FINDINGS). The default is
    /// 6.
    pub least: usize,
    /// Limits on time, tries and bytes.
    pub limits: Limits,
}

/// Sampling of the next token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Temperature; 1 by default.
    pub temperature: f64,
    /// Nucleus sampling: the cumulative probability of the candidates; 0.95 by default.
    pub top_p: f64,
    /// Number of candidates; 40 by default. It is not sent to services with OpenAI's interface, which
    /// lacks it.
    pub top_k: u32,
    /// Most tokens of an answer, thoughts included. With `None`, the default, the service's limit
    /// holds.
    pub max_tokens: Option<u32>,
}

/// Limits on time, tries and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time of one request, up to the last byte of its answer; 60 s by default.
    pub timeout: Duration,
    /// Most requests for one answer; 4 by default.
    pub tries: u32,
    /// Wait before the second try; 1 s by default. It doubles with each try, less a random part of up
    /// to one half, so that many clients do not return at once.
    pub first_wait: Duration,
    /// Longest wait before a try; 60 s by default. If the server asks for a longer one, the request
    /// fails.
    pub longest_wait: Duration,
    /// Time between the starts of two requests; 4 s by default, that is 15 requests a minute.
    pub spacing: Duration,
    /// Most bytes of an answer; 1 MiB by default.
    pub max_response_bytes: u64,
    /// Most requests over the life of an explainer, tries included. `None`, the default, is no limit.
    pub max_requests: Option<u64>,
}

impl RemoteConfig {
    /// Google's service with `gemini-flash-latest`, its name for the newest fast model.
    ///
    /// Name a dated model in `model` for a study that must be repeatable.
    #[must_use]
    pub fn gemini() -> Self {
        Self::new("https://generativelanguage.googleapis.com", "gemini-flash-latest")
    }

    /// `model` at `base_url`, a service with OpenAI's interface: `https://api.openai.com/v1`, or that
    /// of vLLM, llama.cpp or Ollama, such as `http://localhost:11434/v1`.
    #[must_use]
    pub fn open_ai(base_url: impl Into<String>, model: impl Into<String>) -> Self {
        Self::new(base_url, model)
    }

    fn new(base_url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            model: model.into(),
            sampling: Sampling::default(),
            side: 32,
            least: MIN_ITEMS,
            limits: Limits::default(),
        }
    }

    /// The side within its bounds.
    pub(super) fn bounded_side(&self) -> u32 {
        self.side.clamp(1, MAX_SIDE)
    }

    /// The base address without a slash at its end.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Address`] if a request, with a key or without, must not be sent there.
    pub(super) fn address(&self, has_key: bool) -> Result<&str, RemoteError> {
        let refused = |reason| RemoteError::Address { url: shown(&self.base_url), reason };
        let uri: Uri = self.base_url.parse().map_err(|_| refused("it cannot be read"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(refused("it must begin with https:// and a host"));
        };
        if authority.as_str().contains('@') {
            return Err(refused("it must not hold a password"));
        }
        if uri.query().is_some() || self.base_url.contains('#') {
            return Err(refused("it must end with its path"));
        }
        match scheme {
            "https" => {}
            "http" if !has_key || is_this_machine(authority.host()) => {}
            "http" => return Err(refused("a key must not be sent over http")),
            _ => return Err(refused("it must begin with https://")),
        }
        Ok(self.base_url.trim_end_matches('/'))
    }
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 1.0, top_p: 0.95, top_k: 40, max_tokens: None }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            tries: 4,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(60),
            spacing: Duration::from_secs(4),
            max_response_bytes: 1 << 20,
            max_requests: None,
        }
    }
}

impl Limits {
    /// At most `n` requests a minute, evenly spaced; 0 means no limit.
    #[must_use]
    pub fn with_requests_per_minute(self, n: u32) -> Self {
        let spacing = Duration::from_secs(60).checked_div(n).unwrap_or_default();
        Self { spacing, ..self }
    }
}

/// The address without the parts that may hold passwords and keys.
fn shown(url: &str) -> String {
    // First what a password may hold, which may be a `?` or a `#` as well.
    let (hidden, rest) = url.rsplit_once('@').map_or(("", url), |(_, rest)| ("…@", rest));
    format!("{hidden}{}", rest.split(['?', '#']).next().unwrap_or_default())
}

fn is_this_machine(host: &str) -> bool {
    let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str, has_key: bool) -> Result<String, String> {
        let config = RemoteConfig::open_ai(url, "m");
        config.address(has_key).map(str::to_owned).map_err(|error| error.to_string())
    }

    #[test]
    fn a_key_leaves_this_machine_by_https_alone() {
        assert_eq!(address("https://a.example/v1/", true).as_deref(), Ok("https://a.example/v1"));
        for local in ["http://localhost:8000/v1", "http://127.0.0.1:1", "http://[::1]:1/v1"] {
            assert_eq!(address(local, true).as_deref(), Ok(local));
        }
        assert!(address("http://a.example/v1", true).is_err_and(|e| e.contains("over http")));
        assert!(address("http://localhost.a.example/v1", true).is_err());
        assert!(address("http://192.168.1.5:8000/v1", false).is_ok());
    }

    #[test]
    fn what_is_no_base_is_refused() {
        for bad in
            ["", "a.example", "/v1", "ftp://a.example", "https://a.example?key=1", "https://a b"]
        {
            assert!(address(bad, false).is_err(), "{bad}");
        }
        for secret in
            ["https://me:hunter2@a.example", "https://a.example?k=hunter2", "me:hunter2@a b"]
        {
            let error = address(secret, true).expect_err("a secret");
            assert!(!error.contains("hunter2") && error.contains("a"), "{error}");
        }
    }

    #[test]
    fn requests_are_spaced_evenly() {
        let spacing = |n| Limits::default().with_requests_per_minute(n).spacing;
        assert_eq!(spacing(15), Limits::default().spacing);
        assert_eq!([spacing(120), spacing(0)], [Duration::from_millis(500), Duration::ZERO]);
    }
}
