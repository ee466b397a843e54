//! An error and its causes in one line.

use std::error::Error;

/// `error` and its causes in one line, each after a colon. A cause that the text before it already
/// holds is left out, so that an error whose message repeats its cause is not doubled.
///
/// ```
/// let error = cifake::file::open("missing.png".as_ref()).unwrap_err();
/// let line = cifake::error_chain(&error);
/// assert_eq!(line, error.to_string());
/// assert_eq!(line.matches("No such file").count(), usize::from(cfg!(unix)));
/// ```
#[must_use]
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Layer>>,
    }

    fn layers(texts: &[&'static str]) -> Layer {
        let source = texts[1..].first().map(|_| Box::new(layers(&texts[1..])));
        Layer { text: texts[0], source }
    }

    #[test]
    fn a_cause_is_told_once() {
        let told = |texts: &[&'static str]| error_chain(&layers(texts));
        assert_eq!(told(&["a failed", "the disk is full"]), "a failed: the disk is full");
        assert_eq!(told(&["a failed: full", "full"]), "a failed: full");
        assert_eq!(told(&["row 3", "a failed: full", "full"]), "row 3: a failed: full");
    }
}
