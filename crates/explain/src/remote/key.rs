//! A secret that is sent and never shown.

use std::fmt;

use ureq::http::HeaderValue;

use super::RemoteError;

/// What stands where a key stood.
const HIDDEN: &str = "[key]";

/// The key to a service.
///
/// It is sent in a header, never in an address, and nothing of it is shown: not by `Debug` or
/// `Display`, not in errors or remarks, not even where a server repeats it. Its characters reach
/// one log, that of the HTTP client at level `trace`, where `ureq_proto` writes out every byte that
/// it sends: leave that level off.
#[derive(Clone)]
pub struct ApiKey(String);

impl ApiKey {
    /// A key as it was handed out; white space around it is dropped.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Key`] where nothing is left, or a header cannot hold it.
    pub fn new(key: impl Into<String>) -> Result<Self, RemoteError> {
        let key = key.into().trim().to_owned();
        if key.is_empty() {
            return Err(RemoteError::Key { reason: "it is empty" });
        }
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(RemoteError::Key { reason: "it has spaces or characters outside ASCII" });
        }
        Ok(Self(key))
    }

    /// The key after `prefix`, marked as what is not to be printed.
    pub(super) fn header(&self, prefix: &str) -> HeaderValue {
        let mut value = HeaderValue::try_from(format!("{prefix}{}", self.0))
            .expect("the key is visible ASCII, and so is what stands before it");
        value.set_sensitive(true);
        value
    }

    /// `text` without the key, wherever it stands.
    pub(super) fn redacted(&self, text: &str) -> String {
        text.replace(&self.0, HIDDEN)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey")
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_key_is_printed() {
        let key = ApiKey::new(" AIza-secret\n").expect("white space is dropped");
        let header = key.header("Bearer ");
        assert_eq!(header.as_bytes(), b"Bearer AIza-secret");
        for shown in [format!("{key:?}"), format!("{key}"), format!("{header:?}")] {
            assert!(!shown.contains("AIza") && !shown.contains("secret"), "{shown}");
        }
        assert_eq!(key.redacted("a AIza-secret b"), "a [key] b");
    }

    #[test]
    fn what_no_header_can_hold_is_no_key() {
        for bad in ["", "  ", "two words", "line\nbreak", "clé"] {
            let error = ApiKey::new(bad).expect_err("no key").to_string();
            assert!(bad.trim().is_empty() || !error.contains(bad), "{error}");
        }
    }
}
