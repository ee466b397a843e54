//! The key to a service.

use std::fmt;

use ureq::http::HeaderValue;

use super::RemoteError;

/// Replacement of a redacted key.
const HIDDEN: &str = "[key]";

/// The key to a service.
///
/// It is sent in a header, never in an address. It is never shown: not by `Debug` or `Display`, and not
/// in errors or remarks, even if a server repeats it. Only the HTTP client's log at level `trace`
/// holds it, since `ureq_proto` writes every byte there: leave that level off.
#[derive(Clone)]
pub struct ApiKey(String);

impl ApiKey {
    /// The key `text`, without the white space around it.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Key`] if nothing is left, or a header cannot hold it.
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

    /// The key after `prefix`, marked as sensitive.
    pub(super) fn header(&self, prefix: &str) -> HeaderValue {
        let mut value = HeaderValue::try_from(format!("{prefix}{}", self.0))
            .expect("the key is visible ASCII, and so is what stands before it");
        value.set_sensitive(true);
        value
    }

    /// `text` without the key.
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
