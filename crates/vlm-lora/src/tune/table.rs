//! Conversations with pictures in a parquet file, as Hugging Face stores them.

use std::path::Path;
use std::sync::Arc;

use cifake::{ParquetRow, ParquetRows, ParquetValue};
use serde_json::{Map, Value, json};

use super::conversation::{Conversation, ConversationLimits, ImageSource, Line, assemble};
use crate::error::TrainingError;

/// Columns that are read.
const COLUMNS: [&str; 9] =
    ["id", "conversations", "messages", "system", "question", "answer", "images", "image", "map"];

/// The conversations in the rows of the file at `path`. Its columns are the fields of a line of
/// JSON, or `question` and `answer`. Pictures are encoded in `image`, alone or in a list `images`,
/// and in `map`.
pub(super) fn conversations(
    path: &Path,
    limits: &ConversationLimits,
) -> Result<Vec<Conversation>, TrainingError> {
    let too_much = |what, limit: u64| {
        let path = path.to_owned();
        TrainingError::TooMuch { path, what, limit }
    };
    let rows = ParquetRows::open(path)?.with_max_bytes(limits.max_bytes);
    if rows.claimed_bytes() > limits.max_bytes {
        return Err(too_much("bytes", limits.max_bytes));
    }
    let (mut found, mut n_bytes) = (Vec::new(), 0u64);
    rows.for_each(&COLUMNS, |number, row| {
        if found.len() == limits.max_conversations {
            return Err(too_much("conversations", limits.max_conversations as u64));
        }
        // The size that the file claims is not the size of its unpacked rows: a dictionary repeats.
        let [text, encoded] = row.lengths();
        n_bytes = n_bytes.saturating_add(text).saturating_add(encoded);
        if n_bytes > limits.max_bytes {
            return Err(too_much("bytes", limits.max_bytes));
        }
        if text > limits.max_line_bytes as u64 {
            return Err(too_much("bytes of text in a row", limits.max_line_bytes as u64));
        }
        let refused = |reason| {
            let path = path.to_owned();
            TrainingError::Conversation { path, line: number + 1, reason }
        };
        found.push(conversation(row, limits).map_err(refused)?);
        Ok(())
    })?;
    Ok(found)
}

fn conversation(row: ParquetRow, limits: &ConversationLimits) -> Result<Conversation, String> {
    let (mut fields, mut images) = (Map::new(), [Vec::new(), Vec::new()]);
    for (name, field) in row.into_columns() {
        match name.as_str() {
            "images" | "image" => sources(field, &mut images[0]),
            "map" => sources(field, &mut images[1]),
            _ => _ = fields.insert(name, value(field)),
        }
    }
    if let (Some(question), Some(answer)) = (fields.remove("question"), fields.remove("answer")) {
        let turn = |role, content: Value| json!({"role": role, "content": content});
        let turns = json!([turn("user", question), turn("assistant", answer)]);
        fields.insert("messages".to_owned(), turns);
    }
    fields.retain(|_, value| !value.is_null());
    let line: Line =
        serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())?;
    assemble(line, images.concat(), limits)
}

/// The pictures in `field`, in order.
fn sources(field: ParquetValue, found: &mut Vec<ImageSource>) {
    match field {
        ParquetValue::Text(name) => found.push(ImageSource::Named(name)),
        ParquetValue::Bytes(bytes) => found.push(ImageSource::Encoded(Arc::from(bytes.as_ref()))),
        ParquetValue::List(list) => list.values().for_each(|field| sources(field, found)),
        ParquetValue::Group(row) => {
            let fields: Vec<(String, ParquetValue)> = row.into_columns().collect();
            let of =
                |wanted| fields.iter().find(|(name, _)| name == wanted).map(|(_, f)| f.clone());
            match (of("bytes"), of("path")) {
                (Some(bytes @ ParquetValue::Bytes(_)), _) => sources(bytes, found),
                (_, Some(path @ ParquetValue::Text(_))) => sources(path, found),
                _ => {}
            }
        }
        _ => {}
    }
}

/// `field` as JSON, without what is missing; anything but texts, whole numbers, lists and groups of them is
/// null.
fn value(field: ParquetValue) -> Value {
    match field {
        ParquetValue::Text(text) => text.into(),
        ParquetValue::Integer(number) => number.into(),
        ParquetValue::List(list) => list.values().map(value).collect(),
        ParquetValue::Group(row) => {
            let fields = row.into_columns().map(|(name, field)| (name, value(field)));
            fields.filter(|(_, value)| !value.is_null()).collect()
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use cifake::{Label, ParquetColumn, ParquetFile};
    use parquet::data_type::{ByteArray, ByteArrayType};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;

    #[test]
    fn question_and_answer_become_two_turns_with_both_pictures() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.parquet");
        let text = |text: &str| ParquetColumn::Text(vec![text.to_owned()]);
        let table = ParquetFile {
            pictures: vec![vec![1, 2]],
            names: vec!["a.png".to_owned()],
            labels: vec![Label::Fake],
            columns: vec![
                ("question".to_owned(), text("<image>\n<image>\nWhat?")),
                ("answer".to_owned(), text("That.")),
                ("map".to_owned(), ParquetColumn::Pictures(vec![vec![3]])),
            ],
        };
        table.write(&path).expect("the folder is writable");
        let read = conversations(&path, &ConversationLimits::default()).expect("one row");
        let texts: Vec<&str> = read[0].turns.iter().map(|turn| turn.text.as_str()).collect();
        assert_eq!(texts, ["<image>\n<image>\nWhat?", "That."]);
        let encoded = |bytes: &[u8]| ImageSource::Encoded(Arc::from(bytes));
        assert_eq!(read[0].images, [encoded(&[1, 2]), encoded(&[3])]);
        let none = ConversationLimits { max_conversations: 0, ..ConversationLimits::default() };
        let refused = conversations(&path, &none);
        assert!(matches!(refused, Err(TrainingError::TooMuch { .. })), "{refused:?}");
        let short = ConversationLimits { max_line_bytes: 10, ..ConversationLimits::default() };
        let refused = conversations(&path, &short);
        assert!(matches!(refused, Err(TrainingError::TooMuch { .. })), "{refused:?}");
        let table = ParquetFile { columns: vec![], ..table };
        table.write(&path).expect("the folder is writable");
        let refused = conversations(&path, &ConversationLimits::default());
        assert!(matches!(refused, Err(TrainingError::Conversation { line: 1, .. })), "{refused:?}");
        std::fs::write(&path, b"PAR1nonsensePAR1").expect("the folder is writable");
        let refused = conversations(&path, &ConversationLimits::default());
        assert!(matches!(refused, Err(TrainingError::File(cifake::Error::Parquet { .. }))));
    }

    /// As LLaVA's data stand on the hub: a list of turns a row.
    #[test]
    fn lists_of_turns_are_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.parquet");
        let schema = "message schema { required group conversations (LIST) { repeated group list {
            required group element { required binary from (UTF8); required binary value (UTF8); } } } }";
        let schema = Arc::new(parse_message_type(schema).expect("a schema"));
        let properties = Arc::new(WriterProperties::builder().build());
        let mut writer =
            SerializedFileWriter::new(Vec::new(), schema, properties).expect("in memory");
        let mut group = writer.next_row_group().expect("in memory");
        for texts in [["human", "gpt"], ["What?", "That."]] {
            let texts = texts.map(ByteArray::from);
            let mut column = group.next_column().expect("in memory").expect("two columns");
            let batch = column.typed::<ByteArrayType>();
            batch.write_batch(&texts, Some(&[1, 1]), Some(&[0, 1])).expect("in memory");
            column.close().expect("in memory");
        }
        group.close().expect("in memory");
        std::fs::write(&path, writer.into_inner().expect("in memory")).expect("it is writable");
        let read = conversations(&path, &ConversationLimits::default()).expect("one row");
        let texts: Vec<&str> = read[0].turns.iter().map(|turn| turn.text.as_str()).collect();
        assert_eq!((texts, read[0].images.len()), (vec!["What?", "That."], 0));
    }

    /// A list whose elements all refer to one text of the dictionary.
    #[test]
    fn a_dictionary_that_unpacks_to_too_much_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.parquet");
        let text = |text: String| ParquetColumn::Text(vec![text; 100]);
        let table = ParquetFile {
            pictures: vec![vec![1]; 100],
            names: vec!["a.png".to_owned(); 100],
            labels: vec![Label::Fake; 100],
            columns: vec![
                ("question".to_owned(), text("<image>".to_owned() + &"a".repeat(1 << 16))),
                ("answer".to_owned(), text("b".to_owned())),
            ],
        };
        table.write(&path).expect("the folder is writable");
        let len = std::fs::metadata(&path).expect("it was written").len();
        assert!(len < 1 << 20, "{len} bytes stand for 6.5 MB");
        let whole = conversations(&path, &ConversationLimits::default());
        assert_eq!(whole.expect("it fits").len(), 100);
        let limits = ConversationLimits { max_bytes: 4 << 20, ..ConversationLimits::default() };
        let refused = conversations(&path, &limits);
        assert!(
            matches!(refused, Err(TrainingError::File(cifake::Error::Parquet { .. }))),
            "{refused:?}"
        );
    }

    #[test]
    fn no_damage_to_a_table_makes_it_panic() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.parquet");
        let text = |text: &str| ParquetColumn::Text(vec![text.to_owned(); 3]);
        let table = ParquetFile {
            pictures: vec![vec![1, 2]; 3],
            names: vec!["a.png".to_owned(); 3],
            labels: vec![Label::Fake; 3],
            columns: vec![
                ("question".to_owned(), text("<image>What?")),
                ("answer".to_owned(), text("That.")),
            ],
        };
        table.write(&path).expect("the folder is writable");
        let whole = std::fs::read(&path).expect("it was written");
        let limits = ConversationLimits { max_conversations: 10, ..ConversationLimits::default() };
        assert_eq!(conversations(&path, &limits).expect("it is whole").len(), 3);
        for at in (0..whole.len()).step_by(7) {
            for broken in [0, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = broken;
                std::fs::write(&path, &bytes).expect("the folder is writable");
                let _ = conversations(&path, &limits);
            }
            std::fs::write(&path, &whole[..at]).expect("the folder is writable");
            assert!(conversations(&path, &limits).is_err(), "cut at {at}");
        }
    }
}
