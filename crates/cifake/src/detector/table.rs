//! Verdicts as lines, for machines and for a terminal.

use serde::Serialize;

use super::Verdict;
use crate::Error;

/// One line of JSON Lines: `path` and the fields of the [`Verdict`], or `path` and `error`.
#[must_use]
pub fn json_line(path: &str, outcome: &Result<Verdict, Error>) -> String {
    json_line_with(path, outcome, &())
}

/// The line of [`json_line`] with the fields of `more` at its end, or without them if `more` is `()`.
///
/// # Panics
///
/// If `more` is neither a map nor a struct, or fails to be JSON.
#[must_use]
pub fn json_line_with(
    path: &str,
    outcome: &Result<Verdict, Error>,
    more: &impl Serialize,
) -> String {
    #[derive(Serialize)]
    struct Line<'a, M> {
        path: &'a str,
        #[serde(flatten)]
        verdict: Option<&'a Verdict>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        #[serde(flatten)]
        more: &'a M,
    }
    let error = outcome.as_ref().err().map(Error::to_string);
    let line = Line { path, verdict: outcome.as_ref().ok(), error, more };
    serde_json::to_string(&line).expect("texts and numbers are always JSON")
}

/// The first line of a table of [`table_row`]s.
#[must_use]
pub fn table_header() -> String {
    columns("ANSWER", "P(FAKE)", "SIZE", "SCOPE", "PATH")
}

/// One line of a table: answer, probability of FAKE, size, what the answer rests on and `path`, or the error.
#[must_use]
pub fn table_row(path: &str, outcome: &Result<Verdict, Error>) -> String {
    match outcome {
        Ok(Verdict { answer, p_fake, width, height, scope, .. }) => {
            let percent = format!("{:.1} %", 100.0 * p_fake);
            columns(answer.as_str(), &percent, &format!("{width}x{height}"), scope.as_str(), path)
        }
        Err(error) => match error.to_string() {
            text if text.contains(path) => format!("ERROR  {text}"),
            text => format!("ERROR  {path}: {text}"),
        },
    }
}

fn columns(answer: &str, p_fake: &str, size: &str, scope: &str, path: &str) -> String {
    format!("{answer:<6}  {p_fake:>7}  {size:>11}  {scope:<10}  {path}")
}

#[cfg(test)]
mod tests {
    use super::super::verdict::verdict;
    use super::*;
    use crate::{Answer, DatasetError, Scope};

    #[test]
    fn a_line_of_json_has_the_fields_in_the_promised_order() {
        assert_eq!(
            json_line("a\"b.png", &Ok(verdict())),
            concat!(
                r#"{"path":"a\"b.png","label":"FAKE","p_fake":0.973,"width":640,"height":480,"#,
                r#""input":"resized","model":"native","threshold":0.5,"#,
                r#""answer":"FAKE","familiarity":null,"scope":"resized"}"#
            )
        );
        let strange = Verdict {
            answer: Answer::Unsure,
            familiarity: Some(0.5),
            scope: Scope::Unfamiliar,
            ..verdict()
        };
        let line = json_line("a.png", &Ok(strange));
        assert!(line.ends_with(r#""answer":"UNSURE","familiarity":0.5,"scope":"unfamiliar"}"#));
        let failed = Err(DatasetError::NoMatch { pattern: "*.png".to_owned() }.into());
        let line = json_line("*.png", &failed);
        assert!(line.starts_with(r#"{"path":"*.png","error":""#), "{line}");
        let more = serde_json::json!({ "more": [1] });
        assert_eq!(json_line_with("*.png", &failed, &more), line.replace('}', r#","more":[1]}"#));
        let line = json_line_with("a.png", &Ok(verdict()), &more);
        assert_eq!(line, json_line("a.png", &Ok(verdict())).replace('}', r#","more":[1]}"#));
    }

    #[test]
    fn the_rows_of_a_table_stand_under_its_header() {
        let (header, row) = (table_header(), table_row("a.png", &Ok(verdict())));
        assert_eq!(row, "FAKE     97.3 %      640x480  resized     a.png");
        assert_eq!(header.find("PATH"), row.find("a.png"));
        let strange = Verdict { answer: Answer::Unsure, scope: Scope::Unfamiliar, ..verdict() };
        let row = table_row("a.png", &Ok(strange));
        assert_eq!(row, "UNSURE   97.3 %      640x480  unfamiliar  a.png");
        let failed = Err(DatasetError::NoMatch { pattern: "*.png".to_owned() }.into());
        assert!(table_row("*.png", &failed).starts_with("ERROR  no file matches `*.png`"));
    }
}
