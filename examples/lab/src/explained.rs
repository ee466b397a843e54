//! Sets of explained pictures: how they are opened, and as one table.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use burn::tensor::Device;
use cifake::{Detector, Label, ParquetColumn, ParquetFile, Picture, tensor_from_rgb8};
use explain::{
    Explanation, ExplanationSet, MAX_FINDINGS, MAX_WORDS, Origin, Record, Rules, prompt,
};
use gradcam::{Cam, HeatMap, Method};

use cifake_cli::Spared;
use cifake_cli::args::{CamArgs, METHOD, builder, method_named, open};

/// The set that is written, with its detector and maps.
#[derive(clap::Args)]
pub struct SetArgs {
    /// Folder of the set.
    #[arg(long, value_name = "DIR", required_unless_present = "smoke")]
    pub out: Option<PathBuf>,
    /// The question of every conversation [default: all rules and all names].
    #[arg(long, value_name = "TEXT")]
    question: Option<String>,
    /// Method of the maps.
    #[arg(long, default_value = METHOD, value_parser = method_named)]
    method: Method,
    #[command(flatten)]
    cam: CamArgs,
    /// native, adversarial, static-robust, resnet18_32, or a weight file.
    #[arg(long, alias = "model", value_name = "NAME|FILE", default_value = "native")]
    weights: PathBuf,
}

/// A set that grows, and what its pictures are judged by.
pub struct Explaining {
    /// The set.
    pub set: ExplanationSet,
    /// The detector that judges.
    pub detector: Detector,
    cam: Cam,
}

impl SetArgs {
    /// The name or file of the weights.
    #[must_use]
    pub fn weights(&self) -> &Path {
        &self.weights
    }

    /// Opens the set in `folder`, for what `explainer` says.
    ///
    /// # Errors
    ///
    /// If there are no such weights, the question shows pictures, or the folder cannot be written to or holds a set of
    /// another origin.
    pub fn open(&self, folder: &Path, explainer: &str) -> Result<Explaining> {
        Spared::default().folder(folder)?;
        let question = self.question.clone().unwrap_or_else(|| prompt(&Rules::default()));
        ensure!(!question.contains("<image>"), "--question must not show pictures of its own");
        let detector = open(builder(), &self.weights)?;
        let origin = Origin {
            explainer: explainer.to_owned(),
            detector: detector.model_name().to_owned(),
            method: self.method.as_str().to_owned(),
            prompt: question,
        };
        let set = ExplanationSet::open(folder, origin)?;
        Ok(Explaining { set, detector, cam: self.cam.cam(self.method) })
    }
}

impl Explaining {
    /// The map of the detector for `label` over `picture`.
    ///
    /// # Errors
    ///
    /// If the picture has another size than the detector's.
    pub fn map(&self, picture: &Picture, label: Label) -> Result<HeatMap> {
        let images = tensor_from_rgb8(std::slice::from_ref(picture), &Device::flex())?;
        Ok(self.cam.maps(self.detector.classifier(), &images, &[label])?.remove(0))
    }
}

/// Brings what somebody said of a picture into the form of a set: at most seven findings, each with a text
/// of one line and at most 50 words.
pub fn shorten(said: &mut Explanation) {
    for finding in &mut said.findings {
        let words = finding.explanation.split_whitespace().take(MAX_WORDS);
        finding.explanation = words.collect::<Vec<_>>().join(" ");
    }
    said.findings.retain(|finding| !finding.explanation.is_empty());
    said.findings.truncate(MAX_FINDINGS);
}

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
    let p_fake = records.iter().map(|record| record.p_fake.into()).collect();
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
            ("p_fake".to_owned(), ParquetColumn::Real(p_fake)),
        ],
    };
    Ok(table.write(path)?)
}
