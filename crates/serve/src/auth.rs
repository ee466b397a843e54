//! The token that a client must show.

use std::fmt;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::Error;

/// Shortest token, in bytes.
const MIN_BYTES: usize = 16;

/// A secret that clients send as `Authorization: Bearer TOKEN`.
///
/// Only its hash is kept. It is compared in a time that tells nothing of it.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// The token `text`, without white space around it.
    ///
    /// # Errors
    ///
    /// [`Error::Token`] if it has fewer than 16 bytes, or others than visible ASCII.
    ///
    /// ```
    /// use cifake_serve::Token;
    ///
    /// assert!(Token::new("correct-horse-battery\n").is_ok());
    /// assert!(Token::new("short").is_err());
    /// ```
    pub fn new(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let is_valid = text.len() >= MIN_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_valid.then(|| Self(digest(text.as_bytes()))).ok_or(Error::Token { min_bytes: MIN_BYTES })
    }

    /// Whether `headers` hold this token.
    pub(crate) fn is_in(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(AUTHORIZATION) else { return false };
        let Some((scheme, token)) = value.as_bytes().split_at_checked(7) else { return false };
        // Digests have one length, whatever the client sends.
        scheme.eq_ignore_ascii_case(b"bearer ") && bool::from(digest(token).ct_eq(&self.0))
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_token_alone_is_accepted() {
        let token = Token::new(" correct-horse-battery\n").expect("it is long enough");
        let is_in = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
            token.is_in(&headers)
        };
        assert!(is_in("Bearer correct-horse-battery") && is_in("bearer correct-horse-battery"));
        for wrong in
            ["", "Bearer", "Bearer ", "Bearer correct-horse-batter", "Basic correct-horse-battery"]
        {
            assert!(!is_in(wrong), "{wrong}");
        }
        assert!(!token.is_in(&HeaderMap::new()));
        assert_eq!(format!("{token:?}"), "Token(..)");
    }

    #[test]
    fn a_token_that_is_easily_guessed_or_no_text_is_refused() {
        for text in ["", "               ", "fifteen-letters", "with a space in between"] {
            assert!(Token::new(text).is_err(), "{text}");
        }
    }
}
