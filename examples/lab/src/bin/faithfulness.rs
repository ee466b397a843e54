//! Measures how faithful class activation maps are.

use std::any::Any;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use burn::tensor::Device;
use cifake::tensor_from_rgb8;
use cifake_cli::args::{CamArgs, builder, method_named, open};
use cifake_cli::{exit_code, progress_bar};
use cifake_eval::metrics::Bootstrap;
use clap::Parser;
use explain::quality::wrong_pictures;
use gradcam::{HeatMap, Method, faithfulness, mean_rank_correlation};
use lab::draw::DrawArgs;
use lab::maps::{maps, verdicts};
use lab::randomized::cascade;
use serde_json::json;

/// Deletes, inserts and blurs the places that a map marks, and prints how the detector's probability
/// follows: for each method, random maps and a center prior.
///
/// Then prints the correlation of each method's maps with those of the same network with random weights,
/// beside the maps of other pictures. All with 95 % bootstrap intervals.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:
  faithfulness --split validation --limit 1000
  faithfulness --split test --json --weights adversarial"
)]
struct Args {
    #[command(flatten)]
    draw: DrawArgs,
    /// A method; may be given several times [default: all].
    #[arg(long = "method", value_parser = method_named)]
    methods: Vec<Method>,
    #[command(flatten)]
    cam: CamArgs,
    /// Number of pictures whose maps are compared with those of random weights.
    #[arg(long, value_name = "N", default_value_t = 200)]
    randomized: usize,
    /// native, adversarial, static-robust, resnet18_32, or a weight file.
    #[arg(long, alias = "model", value_name = "NAME|FILE", default_value = "native")]
    weights: PathBuf,
    /// One JSON object instead of tables.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    exit_code(run(cifake_cli::parsed()))
}

fn run(mut args: Args) -> Result<usize> {
    if args.methods.is_empty() {
        args.methods = Method::ALL.to_vec();
    }
    let detector = open(builder(), &args.weights)?;
    let (classifier, seed) = (detector.classifier(), args.draw.seed);
    let network: &dyn Any = &**classifier;
    let trained = network.downcast_ref().context("only a TinyViT can forget part by part")?;
    let drawn = args.draw.draw(detector.input_size(), &args.weights)?;
    let images = tensor_from_rgb8(&drawn.pictures, &Device::flex())?;
    let verdicts = verdicts(&detector, &images);
    let steps = cascade(trained, seed);
    let n = verdicts.len();
    let n_few = args.randomized.clamp(2, n.max(2));
    let bar = progress_bar()?;
    bar.set_length((n + args.methods.len() * (n + n_few * steps.len())) as u64);
    let progress = |n: usize| bar.inc(n as u64);
    let sets: Vec<(&str, Vec<HeatMap>)> = args
        .methods
        .iter()
        .map(|&method| {
            let cam = args.cam.cam(method);
            Ok((method.as_str(), maps(classifier, &cam, &images, &verdicts, progress)?))
        })
        .collect::<Result<_>>()?;
    let report = faithfulness(&detector, &images, &verdicts, &sets, seed, &mut { progress })?;
    let (best, bootstrap) = (report.maps[report.best()].name.clone(), Bootstrap::new(seed));
    let (others, few) = (wrong_pictures(n_few, seed), images.narrow(0, 0, n_few));
    let mut sanity = Vec::new();
    for (method, (name, own)) in args.methods.iter().zip(&sets) {
        let own = &own[..n_few];
        let wrong: Vec<HeatMap> = others.iter().map(|&other| own[other].clone()).collect();
        sanity.push((*name, "another picture", mean_rank_correlation(own, &wrong, &bootstrap)?));
        for (part, random) in &steps {
            let cam = args.cam.cam(*method);
            let random = maps(random, &cam, &few, &verdicts[..n_few], progress)?;
            sanity.push((*name, *part, mean_rank_correlation(own, &random, &bootstrap)?));
        }
    }
    bar.finish_and_clear();
    let (model, layer) = (detector.model_name(), args.cam.cam(args.methods[0]).layer(classifier)?);
    let mut out = io::stdout().lock();
    if args.json {
        let sanity: Vec<_> = sanity
            .iter()
            .map(
                |(method, random, m)| json!({"method": method, "random": random, "correlation": m}),
            )
            .collect();
        let report = json!({
            "model": model, "layer": layer.name, "seed": seed, "best": best, "faithfulness": report,
            "randomization": sanity,
        });
        writeln!(out, "{report:#}")?;
        return Ok(0);
    }
    writeln!(out, "{model}, maps of {}\n\n{report}\n\nbest mean rank: {best}", layer.name)?;
    writeln!(out, "\nrank correlation with the maps of random weights, up to each part")?;
    for (method, random, m) in sanity {
        writeln!(out, "{method:<12} {random:<16} {:.3} [{:.3}, {:.3}]", m.value, m.low, m.high)?;
    }
    Ok(0)
}
