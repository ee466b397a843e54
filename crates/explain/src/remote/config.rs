//! Where a model is, how it is asked, and within what bounds.

use std::time::Duration;

use ureq::http::Uri;

use super::RemoteError;
use crate::quality::MIN_ITEMS;

/// Longest side of what is sent; models scale larger pictures down.
const MAX_SIDE: u32 = 2048;

/// How a remote model is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteConfig {
    /// Address below which the service lies. `http` is for this machine, or for a service without a
    /// key.
    pub base_url: String,
    /// Name of the model, as the service calls it.
    pub model: String,
    /// How freely it chooses its words.
    pub sampling: Sampling,
    /// The picture and the map over it are sent with their longer side at least this long, up to
    /// 2,048, by repeating pixels: 32, so that pictures of CIFAKE go as they are, as the original
    /// sent them.
    ///
    /// Repeating adds nothing to a picture, while smooth or learnt upscalers draw artifacts of
    /// their own, which the model then finds. Many models see a picture of 32 pixels as one or four
    /// tokens: whether a larger copy helps one is to be measured.
    pub side: u32,
    /// Findings below which an answer is refused, from 1 to [`MAX_FINDINGS`](crate::MAX_FINDINGS);
    /// 6.
    pub least: usize,
    /// Bounds on time, tries and bytes.
    pub limits: Limits,
}

/// How a model draws its next token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// 1, as the original.
    pub temperature: f64,
    /// 0.95, as the original.
    pub top_p: f64,
    /// 40, as the original. It is not sent to services in the manner of OpenAI, which do not know
    /// it.
    pub top_k: u32,
    /// Longest answer in tokens, thoughts included; the service's own limit where `None`, which it
    /// is.
    pub max_tokens: Option<u32>,
}

/// What a service may cost in time, tries and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time of one request from its beginning to the last byte of its answer; 60 s.
    pub timeout: Duration,
    /// Requests for one answer, at most, of which the first may be the only one; 4.
    pub tries: u32,
    /// Wait before the second try; it doubles with each. A random half of a wait is left out, so
    /// that many clients do not come back at once; 1 s.
    pub first_wait: Duration,
    /// Longest wait before a try; 60 s. A server that wants a longer one is not asked again.
    pub longest_wait: Duration,
    /// Time between the beginnings of two requests; 4 s, that is 15 requests a minute.
    pub spacing: Duration,
    /// Bytes of an answer that are read; 1 MiB.
    pub max_response_bytes: u64,
    /// Requests over the life of an explainer, tries included; no limit where `None`, which it is.
    pub max_requests: Option<u64>,
}

impl RemoteConfig {
    /// Google's service, with the name that it gives its newest fast model.
    ///
    /// The original's model, `gemini-1.5-flash`, is shut down. A study that must be repeated names a
    /// dated one in `model`.
    #[must_use]
    pub fn gemini() -> Self {
        Self::new("https://generativelanguage.googleapis.com", "gemini-flash-latest")
    }

    /// `model` at `base_url`, a service in the manner of OpenAI: `https://api.openai.com/v1`, or
    /// what vLLM, llama.cpp and Ollama offer, such as `http://localhost:11434/v1`.
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

    /// The side of what is sent, within its bounds.
    pub(super) fn bounded_side(&self) -> u32 {
        self.side.clamp(1, MAX_SIDE)
    }

    /// The base address without a slash at its end, if a request may be sent there.
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
    /// At most `n` requests a minute, evenly spaced; as many as can be made for 0.
    #[must_use]
    pub fn with_requests_per_minute(self, n: u32) -> Self {
        let spacing = Duration::from_secs(60).checked_div(n).unwrap_or_default();
        Self { spacing, ..self }
    }
}

/// What may be shown of an address: not what stands where passwords and keys do.
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
