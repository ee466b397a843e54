//! Explanations of pictures, and a set of them as one table.

use std::path::Path;

use anyhow::{Context, Result};
use cifake::{ParquetColumn, ParquetFile, Picture};
use explain::{ExplanationSet, Record};
use gradcam::{Colours, HeatMap, overlay};

/// How strongly the map covers the picture where it is strongest.
const OPACITY: f32 = 0.7;
/// Side of the overlay, in pixels, at least.
const SIDE: u32 = 256;

/// `picture` enlarged under `map`, as a language model is shown it.
///
/// # Errors
///
/// Never: an overlay has the pixels that it says.
pub fn shown(picture: &Picture, map: &HeatMap) -> Result<Picture> {
    let image = overlay(picture, map, Colours::default(), OPACITY, SIDE);
    let (width, height) = image.dimensions();
    Ok(Picture::new(image.into_raw(), width, height)?)
}

/// Writes the records of `set`, in `folder`, as one parquet file.
///
/// # Errors
///
/// If a record or a picture of the set cannot be read, or the file not be written.
pub fn write_table(set: &ExplanationSet, folder: &Path, path: &Path) -> Result<()> {
    let records = set.records()?;
    let picture = |record: &Record| {
        let file = folder.join(&record.files()[0]);
        std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
    };
    let text =
        |of: &dyn Fn(&Record) -> String| ParquetColumn::Text(records.iter().map(of).collect());
    let explanation = |record: &Record| serde_json::json!(record.explanation).to_string();
    let table = ParquetFile {
        pictures: records.iter().map(picture).collect::<Result<_>>()?,
        names: records.iter().map(|record| record.id.clone()).collect(),
        labels: records.iter().map(|record| record.label).collect(),
        columns: vec![
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
