//! Files of conversations: one JSON object a line, or a table.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::conversation::{Conversation, ConversationLimits, parse};
use crate::error::TrainingError;

/// The conversations in the file at `path`: JSONL, whose empty lines are passed over, or, with the
/// feature `parquet`, a table with that ending.
///
/// A line is `{"id", "image", "conversations": [{"from": "human", "value"}, …]}` as LLaVA has it,
/// or `{"messages": [{"role", "content"}, …], "images": […]}` as ShareGPT and LLaMA-Factory do;
/// either may use the other's names. A row of a table has the same fields as columns, or `question`
/// and `answer`. Its pictures are encoded in `image`, in a list `images`, and in `map`.
///
/// # Errors
/// [`TrainingError::File`], [`TrainingError::TooMuch`], [`TrainingError::Conversation`] with the line.
pub fn conversations(
    path: &Path,
    limits: &ConversationLimits,
) -> Result<Vec<Conversation>, TrainingError> {
    #[cfg(feature = "parquet")]
    if path.extension().is_some_and(|extension| extension == "parquet") {
        return super::table::conversations(path, limits);
    }
    let failed = |source| cifake::Error::Read { path: path.to_owned(), source };
    let too_much = |what, limit: u64| {
        let path = path.to_owned();
        TrainingError::TooMuch { path, what, limit }
    };
    let mut reader = BufReader::new(cifake::file::open(path)?);
    let (mut found, mut n_bytes) = (Vec::new(), 0);
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        let limit = limits.max_line_bytes as u64 + 1;
        let len = reader.by_ref().take(limit).read_until(b'\n', &mut bytes).map_err(failed)?;
        if len == 0 {
            break;
        }
        n_bytes += len as u64;
        if n_bytes > limits.max_bytes {
            return Err(too_much("bytes", limits.max_bytes));
        }
        if bytes.len() > limits.max_line_bytes && !bytes.ends_with(b"\n") {
            return Err(too_much("bytes in a line", limits.max_line_bytes as u64));
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if found.len() == limits.max_conversations {
            return Err(too_much("conversations", limits.max_conversations as u64));
        }
        let refused = |reason| {
            let path = path.to_owned();
            TrainingError::Conversation { path, line, reason }
        };
        found.push(parse(&bytes, limits).map_err(refused)?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_within_its_limits() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.jsonl");
        let line = r#"{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}"#;
        std::fs::write(&path, format!("{line}\n\n{line}")).expect("the folder is writable");
        let limits = ConversationLimits::default();
        assert_eq!(conversations(&path, &limits).expect("two lines").len(), 2);
        let one = ConversationLimits { max_conversations: 1, ..limits };
        assert!(matches!(conversations(&path, &one), Err(TrainingError::TooMuch { .. })));
        let short = ConversationLimits { max_line_bytes: 10, ..limits };
        assert!(matches!(conversations(&path, &short), Err(TrainingError::TooMuch { .. })));
        let few = ConversationLimits { max_bytes: line.len() as u64 + 5, ..limits };
        assert!(matches!(conversations(&path, &few), Err(TrainingError::TooMuch { .. })));
        std::fs::write(&path, format!("{line}\nnonsense")).expect("the folder is writable");
        let refused = conversations(&path, &limits);
        assert!(matches!(refused, Err(TrainingError::Conversation { line: 2, .. })));
    }
}
