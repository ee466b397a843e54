//! Grades what vision-language models say of pictures beside a set of explanations.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use burn::tensor::Device;
use cifake::metrics::Bootstrap;
use cifake::{Label, Picture, tensor_from_rgb8};
use clap::Parser;
use explain::quality::{Exhibit, Grader, Trial};
use explain::{Combined, EvidenceExplainer, Explainer, ExplanationSet, Origin, Record, Subject};
use gradcam::{Cam, HeatMap, Method, regions};
use indicatif::{ProgressBar, ProgressStyle};
use language::{VoiceArgs, exit_code, tiny};
use rayon::prelude::*;
use tinyvit::Detector;

/// As in the other programs that compute much.
#[global_allocator]
static ALLOCATOR: cifake_kernels::RecyclingAllocator =
    cifake_kernels::RecyclingAllocator::new(1 << 28);

/// Lets vision-language models explain the pictures of a set of explanations, in which artifacts are
/// named, and grades their answers beside the set's: artifacts, words, form, and places beside the map;
/// then the same of answers to other pictures of the set, and of the answer to a blank picture. What does
/// not score above both is not about the pictures. 95 % bootstrap intervals.
#[derive(Parser)]
#[command(after_help = "Example:
  build_explanations --data ../shared/datasets/cifake --split test --limit 400 --named-only \\
    --question 'What gives this picture away?' --out reference
  score_vlm --reference reference --model SmolLM2-135M-Instruct.Q4_1.gguf --tower clean \\
    --adapter runs/finetune/best --out said

The set's own question is asked, unless --question says another. Started again with the same folders, a
run goes on; the answers are a set like the reference.

Exit status: 0 if every picture was explained, 1 if some were not, 2 if nothing could be done.")]
struct Args {
    /// Folder of a set that build_explanations wrote.
    #[arg(long, value_name = "DIR", required_unless_present = "smoke")]
    reference: Option<PathBuf>,
    /// Folder of the answers.
    #[arg(long, value_name = "DIR", default_value = "runs/said")]
    out: PathBuf,
    #[command(flatten)]
    voices: VoiceArgs,
    /// Detector that made the reference's maps: clean or robust, or a weight file.
    #[arg(long, value_name = "NAME|FILE", default_value = "clean")]
    weights: PathBuf,
    /// Pictures, the first of the set.
    #[arg(long, value_name = "N", default_value_t = 200)]
    limit: usize,
    /// Seed of the wrong pictures and of the bootstrap.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// flex, ndarray, wgpu or cuda:0.
    #[arg(long, default_value = "flex")]
    device: String,
    /// One JSON object instead of tables.
    #[arg(long)]
    json: bool,
    /// Let a tiny random model explain committed samples.
    #[arg(long)]
    smoke: bool,
}

fn main() -> ExitCode {
    exit_code(run(Args::parse()))
}

/// Returns how many pictures could not be explained.
fn run(mut args: Args) -> Result<usize> {
    let folder = tempfile::tempdir()?;
    let device = cifake::device::parse(&args.device)?;
    let detector = Detector::named(&args.weights)?.on(&device);
    if args.smoke {
        smoke(&mut args, folder.path(), &detector, &device)?;
    }
    let reference = args.reference.as_deref().context("--reference is required")?;
    let set = ExplanationSet::existing(reference)?;
    let named =
        |record: &Record| record.label == Label::Fake && !record.explanation.findings.is_empty();
    let records = set.records()?.into_iter().filter(named).take(args.limit);
    let records: Vec<Record> = records.collect();
    let read = |record: &Record| {
        let [file, _] = record.files();
        Seen::read(&reference.join(file), record.p_fake, &detector, &device)
    };
    let seen = records.iter().map(read).collect::<Result<Vec<_>>>()?;
    let question = set.origin().prompt.clone();
    let explainer = Combined::new(args.voices.voices(Some(&question), &device)?);
    let origin = Origin {
        explainer: args.voices.to_string(),
        detector: detector.model_name().to_owned(),
        method: Method::default().as_str().to_owned(),
        prompt: args.voices.question().unwrap_or(&question).to_owned(),
    };
    let mut answers = ExplanationSet::open(&args.out, origin)?;
    let n_failed = explain_all(&explainer, &records, &seen, &mut answers)?;
    let answers = answers.records()?;
    let rows: Vec<_> = records
        .iter()
        .zip(&seen)
        .filter_map(|(record, seen)| {
            let answer = answers.iter().find(|answer| answer.sha256 == record.sha256)?;
            Some((record, &answer.explanation, regions(&seen.map)))
        })
        .collect();
    ensure!(rows.len() > 1, "{} pictures with named artifacts are too few", rows.len());
    let exhibits: Vec<Exhibit<'_>> = rows
        .iter()
        .map(|(record, found, regions)| Exhibit { found, reference: &record.explanation, regions })
        .collect();
    let blank = explainer.explain(&Seen::blank(detector.input_size())?.subject())?;
    let bootstrap = Bootstrap::new(args.seed);
    let trial = Trial::new(&exhibits, &blank, &Grader::default(), &bootstrap)?;
    let of_blank: Vec<&str> = blank.findings.iter().map(|f| f.artifact.name()).collect();
    let mut out = io::stdout().lock();
    if args.json {
        let report = serde_json::json!({
            "reference": set.origin(), "models": args.voices.to_string(), "n": rows.len(),
            "n_failed": n_failed, "blank": of_blank, "trial": trial,
        });
        writeln!(out, "{report:#}")?;
    } else {
        writeln!(out, "{}, {} pictures\n\n{trial}", args.voices, rows.len())?;
        writeln!(out, "\nof the blank picture: {}", of_blank.join(", "))?;
    }
    Ok(n_failed)
}

/// Explains what `answers` do not hold yet; returns how many pictures could not be.
fn explain_all(
    explainer: &dyn Explainer,
    records: &[Record],
    seen: &[Seen],
    answers: &mut ExplanationSet,
) -> Result<usize> {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} | {eta} to go")?;
    let bar = ProgressBar::new(records.len() as u64).with_style(style);
    let mut n_failed = 0;
    let both: Vec<_> = records.iter().zip(seen).collect();
    for some in both.chunks(rayon::current_num_threads()) {
        let new: Vec<_> = some.iter().filter(|(_, seen)| !answers.holds(&seen.picture)).collect();
        let said: Vec<_> =
            new.par_iter().map(|(_, seen)| explainer.explain(&seen.subject())).collect();
        for ((record, seen), said) in new.into_iter().zip(said) {
            match said {
                Ok(found) => answers.add(&record.id, &seen.subject(), &found)?,
                Err(error) => {
                    n_failed += 1;
                    let error = anyhow::Error::from(error);
                    bar.suspend(|| eprintln!("{}: {error:#}", record.id));
                }
            }
        }
        bar.inc(some.len() as u64);
    }
    bar.finish_and_clear();
    Ok(n_failed)
}

/// A picture and where the detector looked.
struct Seen {
    picture: Picture,
    map: HeatMap,
    p_fake: f32,
}

impl Seen {
    /// The picture in `file`, whose probability is `p_fake`.
    fn read(file: &Path, p_fake: f32, detector: &Detector, device: &Device) -> Result<Self> {
        let (width, height) = detector.input_size();
        let picture = detector.decoder().read_fitted(file, width, height)?.picture;
        let images = tensor_from_rgb8(std::slice::from_ref(&picture), device)?;
        let cam = Cam::new(Method::default());
        let map = cam.maps(detector.classifier(), &images, &[Label::Fake])?.remove(0);
        Ok(Self { picture, map, p_fake })
    }

    /// Grey, under no map.
    fn blank((width, height): (u32, u32)) -> Result<Self> {
        let picture = Picture::new(vec![128; (width * height * 3) as usize], width, height)?;
        Ok(Self { picture, map: HeatMap::scaled(vec![0.0], 1, 1), p_fake: 1.0 })
    }

    fn subject(&self) -> Subject<'_> {
        let (picture, map, p_fake) = (&self.picture, &self.map, self.p_fake);
        Subject { picture, map, label: Label::Fake, p_fake, class: None }
    }
}

/// Measurements of the committed samples as the reference of a tiny random model.
fn smoke(args: &mut Args, folder: &Path, detector: &Detector, device: &Device) -> Result<()> {
    let model = folder.join("tiny");
    std::fs::create_dir(&model)?;
    tiny::write_vision_model(&model)?;
    args.voices.models = vec![model];
    args.out = folder.join("said");
    args.limit = 2;
    let origin = Origin {
        explainer: "evidence".to_owned(),
        detector: detector.model_name().to_owned(),
        method: Method::default().as_str().to_owned(),
        prompt: "What?".to_owned(),
    };
    let reference = folder.join("reference");
    let mut set = ExplanationSet::open(&reference, origin)?;
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini/test/FAKE");
    for file in cifake::image_files(&samples)? {
        let seen = Seen::read(&file, 1.0, detector, device)?;
        let found = EvidenceExplainer::embedded().explain(&seen.subject())?;
        set.add(&file.display().to_string(), &seen.subject(), &found)?;
    }
    args.reference = Some(reference);
    Ok(())
}
