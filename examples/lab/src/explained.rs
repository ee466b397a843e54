//! A set of explained pictures as one table.

use std::path::Path;

use anyhow::{Context, Result};
use cifake::{ParquetColumn, ParquetFile};
use explain::{ExplanationSet, Record};

/// Writes the records of `set`, in `folder`, as one parquet file.
///
/// # Errors
///
/// If a record or a picture of the set cannot be read, or the file not be written.
pub fn write_table(set: &ExplanationSet, folder: &Path, path: &Path) -> Result<()> {
    let records = set.records()?;
    let pictures = |which: usize| -> Result<Vec<Vec<u8>>> {
        let read = |record: &Record| {
            let file = folder.join(&record.files()[which]);
            std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
        };
        records.iter().map(read).collect()
    };
    let text =
        |of: &dyn Fn(&Record) -> String| ParquetColumn::Text(records.iter().map(of).collect());
    let explanation = |record: &Record| serde_json::json!(record.explanation).to_string();
    let table = ParquetFile {
        pictures: pictures(0)?,
        names: records.iter().map(|record| record.id.clone()).collect(),
        labels: records.iter().map(|record| record.label).collect(),
        columns: vec![
            ("map".to_owned(), ParquetColumn::Pictures(pictures(1)?)),
            ("question".to_owned(), text(&|record| record.conversations[0].value.clone())),
            ("answer".to_owned(), text(&|record| record.conversations[1].value.clone())),
            ("explanation".to_owned(), text(&explanation)),
            ("sha256".to_owned(), text(&|record| record.sha256.clone())),
            (
                "p_fake".to_owned(),
                ParquetColumn::Real(records.iter().map(|record| record.p_fake.into()).collect()),
            ),
        ],
    };
    Ok(table.write(path)?)
}
