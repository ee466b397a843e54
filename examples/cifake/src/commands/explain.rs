//! `cifake explain`: verdict, map and artifacts of pictures.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Result;
use cifake::text::one_line;
use cifake::{Class, Picture, error_chain};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use explain::{Analysis, Failure, html_page};
use gradcam::{Cam, Method};
use serde::Serialize;

use crate::args::{DetectorArgs, ExplainerArgs, METHOD, inputs, method_named, samples};
use crate::color::ColorArgs;
use crate::declared::{Declared, Field, ProvenanceArgs};
use crate::named::{Named, named};
use crate::overlays::Overlays;
use crate::spared::Spared;

/// Explains verdicts: prints the regions on which each verdict rests, and the artifacts that
/// measurements support there.
///
/// Each artifact of the default explainer comes with its measurement and the percentile among camera
/// pictures. A picture with few unusual measurements gets few artifacts.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cifake explain photo.png
  cifake explain --html report.html --overlay overlay.png photo.png
  cifake explain --provenance --html report.html photo.png
  cifake explain --html report.html --overlay maps/ pictures/ 'more/**/*.jpg'
  curl -s https://example.org/a.jpg | cifake explain -
  cifake explain --json pictures/ | jq .artifacts[].name")]
pub(crate) struct Args {
    /// Files, folders or patterns; `-` is a picture on standard input.
    #[arg(required_unless_present = "smoke")]
    paths: Vec<PathBuf>,
    /// Write one self-contained page about all pictures here, with an entry for each that failed.
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,
    /// Write each picture under its map: to this file, to FILE-2.png and so on for further pictures,
    /// or to NAME.overlay.png in this folder.
    #[arg(long, value_name = "FILE.png|DIR")]
    overlay: Option<PathBuf>,
    #[command(flatten)]
    explainer: ExplainerArgs,
    /// grad-cam, grad-cam++, hirescam, layercam, xgrad-cam or eigencam.
    #[arg(long, default_value = METHOD, value_parser = method_named)]
    method: Method,
    /// Class of what the pictures show; only artifacts that it can have are named.
    #[arg(long, value_parser = class_parser())]
    class: Option<Class>,
    #[command(flatten)]
    provenance: ProvenanceArgs,
    #[command(flatten)]
    detector: DetectorArgs,
    /// One JSON object a line instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    color: ColorArgs,
    /// Explain two of the committed samples.
    #[arg(long, hide = true)]
    smoke: bool,
}

/// Accepts the names of the classes.
fn class_parser() -> impl TypedValueParser<Value = Class> {
    PossibleValuesParser::new(Class::ALL.map(Class::as_str)).try_map(|name| {
        let found = Class::ALL.into_iter().find(|class| class.as_str() == name);
        found.ok_or("unknown class")
    })
}

/// Returns how many pictures could not be explained.
pub(crate) fn run(mut args: Args) -> Result<usize> {
    if args.smoke {
        args.paths = ["fake-cat-1.jpg", "real-cat-1.jpg"].map(|name| samples().join(name)).to_vec();
    }
    let inputs = named(inputs(&args.paths));
    let spared = Spared::of(inputs.iter().filter_map(|named| named.input.path()));
    spared.files([&args.html])?;
    anyhow::ensure!(
        args.html.is_none() || args.overlay != args.html,
        "--html and --overlay name one file"
    );
    let mut overlays = args.overlay.map(|target| Overlays::new(target, spared)).transpose()?;
    let question = args.provenance.question()?;
    let (detector, _) = args.detector.detector()?;
    let analysis = Analysis::of(&detector)
        .with_cam(Cam::new(args.method))
        .with_explainer(args.explainer.explainer()?)
        .with_class(args.class);
    let paint = args.color.paint();
    let (mut outcomes, mut out) = (Vec::new(), io::stdout().lock());
    for Named { input, stem } in inputs {
        let (input, declared) = question.ask(input);
        let (path, picture) = input.picture(detector.decoder());
        let explain =
            |picture: Picture| analysis.report(&path, &picture).map_err(anyhow::Error::from);
        let outcome = picture.map_err(anyhow::Error::from).and_then(explain);
        let outcome = outcome
            .map(|report| report.declaring(declared.section()))
            .map_err(|error| Failure { error: error_chain(error.as_ref()), path });
        match &outcome {
            Ok(report) if args.json => writeln!(out, "{}", json_line(report, &declared)?)?,
            Ok(report) => writeln!(out, "{}", paint.verdicts(&report.to_string()))?,
            Err(failure) if args.json => writeln!(out, "{}", json_line(failure, &declared)?)?,
            Err(failure) => {
                eprintln!("{}", one_line(&format!("{}: {}", failure.path, failure.error)));
            }
        }
        if let (Some(overlays), Ok(report)) = (&mut overlays, &outcome) {
            overlays.write(report, &stem)?;
        }
        outcomes.push(outcome);
    }
    if let Some(file) = &args.html {
        cifake::file::write_atomic(file, html_page(&outcomes).as_bytes())?;
    }
    Ok(outcomes.iter().filter(|outcome| outcome.is_err()).count())
}

/// One line of JSON: the fields of `outcome`, and what its file declares.
fn json_line(outcome: &impl Serialize, declared: &Declared) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Line<'a, O> {
        #[serde(flatten)]
        outcome: &'a O,
        #[serde(flatten)]
        field: Field<'a>,
    }
    serde_json::to_string(&Line { outcome, field: declared.field() })
}
