//! Times beside other runtimes: our program and peers.py compute the same numbers from the same
//! weights, in turns; a table, a chart and the raw times come out.

mod case;
mod comparison;
mod machine;
mod program;
mod table;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use self::case::Extent;
use self::comparison::{Comparison, LIMIT};
use self::machine::Machine;
use self::program::Programs;
use self::table::Place;
use crate::process::succeeds;
use crate::workspace::Workspace;

const DOCUMENT: &str = "docs/benchmarks.md";
const CHART: &str = "docs/speed.png";

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask bench speed                                    about half an hour on two cores
  cargo xtask bench speed --quick                            ten cases, about a quarter of an hour
  cargo xtask bench speed --full --rounds 5                  with batches of 32 of the 21m model
  cargo xtask bench speed --detectors                        AEROBLADE, RIGID and DIRE beside PyTorch
  cargo xtask bench speed --cases '5m@224 b1 ' --cases train only cases with this in their name

Ours is the program `latency`, built in release mode. The others are OpenVINO, ONNX Runtime and
PyTorch eager, from examples/lab/peers, installed into target/venv; where they cannot be installed,
ours is timed alone. Inference reads the same weights on all of them, and outputs that differ by
more than 1e-4 are an error; RIGID's are not compared, because its noise is another. Then every runtime is timed in turns, each time in a fresh process that
runs for about two seconds. Nothing else should run meanwhile.

The table and the chart go into docs/benchmarks.md and docs/speed.png, unless ours ran alone or
--cases left some out; the raw times go into target/speed/results.json. Detectors have a table of
their own, no chart, and target/speed/detectors.json.")]
pub(crate) struct Args {
    /// Only the cases that change most: small batches, and both training steps
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// Also the cases that take minutes
    #[arg(long)]
    full: bool,
    /// AEROBLADE, RIGID and DIRE instead, in pictures a second
    #[arg(long, conflicts_with_all = ["quick", "full"])]
    detectors: bool,
    /// The number of turns of each runtime
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Only cases whose name contains this, such as `5m@224 b1 t2` or `train native@32 b128 t2`
    #[arg(long, value_name = "PART")]
    cases: Vec<String>,
}

/// The content of target/speed/results.json.
#[derive(Serialize)]
struct Report {
    command: String,
    machine: Machine,
    comparisons: Vec<Comparison>,
}

/// Measures, and writes what was measured; an error if two runtimes disagree.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let cases = case::chosen(args.extent(), &args.cases)?;
    let machine = Machine::read(&workspace.root)?;
    let programs = Programs::prepare(workspace, &cases)?;
    let mut comparisons = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        eprintln!("[{}/{}] {case}", index + 1, cases.len());
        comparisons.push(Comparison::measure(&programs, case, args.rounds)?);
    }
    let report = Report { command: args.command(), machine, comparisons };
    let file = if args.detectors { "detectors.json" } else { "results.json" };
    let results = programs.folder().join(file);
    replace(&results, &serde_json::to_string_pretty(&report)?)?;
    let section = if args.detectors { report.detectors() } else { report.section() };
    println!("{section}");
    println!("raw times: {}", workspace.relative(&results));
    match programs.script("chart.py") {
        None => println!("ours ran ALONE, so {DOCUMENT} stays as it is"),
        Some(_) if !args.cases.is_empty() => println!("a part, so {DOCUMENT} stays as it is"),
        Some(_) if args.detectors => {
            fill(workspace, table::DETECTORS, &section)?;
            println!("written: {DOCUMENT}");
        }
        Some(mut chart) => {
            let chart = chart.arg(&results).arg(workspace.root.join(CHART));
            ensure!(succeeds(chart)?, "the chart cannot be drawn");
            fill(workspace, table::SPEED, &section)?;
            println!("written: {DOCUMENT}, {CHART}");
        }
    }
    Ok(())
}

/// Puts `section` into its place of the document.
fn fill(workspace: &Workspace, place: Place, section: &str) -> Result<()> {
    let path = workspace.root.join(DOCUMENT);
    let document =
        std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    replace(&path, &place.filled(&document, section)?)
}

impl Args {
    fn extent(&self) -> Extent {
        match (self.detectors, self.quick, self.full) {
            (true, _, _) => Extent::Detectors,
            (false, true, _) => Extent::Quick,
            (false, false, false) => Extent::Usual,
            (false, false, true) => Extent::Full,
        }
    }

    /// As it would be typed again.
    fn command(&self) -> String {
        let extent = match self.extent() {
            Extent::Quick => " --quick",
            Extent::Usual => "",
            Extent::Full => " --full",
            Extent::Detectors => " --detectors",
        };
        let cases = self.cases.iter().map(|part| format!(" --cases '{part}'"));
        let cases: String = cases.collect();
        format!("cargo xtask bench speed{extent} --rounds {}{cases}", self.rounds)
    }
}

impl Report {
    /// The section in the document.
    fn section(&self) -> String {
        let Self { command, machine, comparisons } = self;
        let agreement = self.agreement();
        let table = table::times(comparisons);
        let file = Path::new(CHART).file_name().unwrap_or_default().display();
        format!(
            "Machine: {machine}. Command: `{command}`.\n\n\
             Times are milliseconds of one batch, for ours with the fastest and the slowest run. \
             Below 1 in the last column, ours is faster. All compute in f32. {agreement}A training step of \
             ours also clips gradients and averages weights.\n\n\
             {table}\n\
             ![Time of ours over the time of each other runtime]({file})\n"
        )
    }

    /// The section in the document of detectors.
    fn detectors(&self) -> String {
        let Self { command, machine, comparisons } = self;
        let agreement = self.agreement();
        let table = table::rates(comparisons);
        format!(
            "Machine: {machine}. Command: `{command}`.\n\n\
             Rates are pictures a second, for ours with those of the slowest and the fastest run. Above 1 in \
             the last column, ours is faster. All compute in f32. {agreement}The noise of RIGID differs, so \
             that its outputs are not compared.\n\n\
             {table}\n"
        )
    }

    /// The distance of the outputs, in a sentence; nothing where none were compared.
    fn agreement(&self) -> String {
        let timings = self.comparisons.iter().flat_map(|comparison| &comparison.timings);
        let worst = timings.filter_map(|timing| timing.probe.difference).reduce(f64::max);
        worst.map_or_else(String::new, |worst| {
            format!(
                "The outputs of the other runtimes for the first picture are within {worst:.1e} of \
                 ours, relative to the largest (limit {LIMIT:.0e}). "
            )
        })
    }
}

/// Writes beside `path` and renames, so that nobody reads half a file.
fn replace(path: &Path, text: &str) -> Result<()> {
    let part = path.with_extension("part");
    std::fs::write(&part, text).with_context(|| format!("write {}", part.display()))?;
    std::fs::rename(&part, path).with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::case::Runtime;
    use super::comparison::tests::{case, comparison};
    use super::*;

    fn args(quick: bool, cases: &[&str]) -> Args {
        let cases = cases.iter().map(|part| (*part).to_owned()).collect();
        Args { quick, full: false, detectors: false, rounds: 3, cases }
    }

    #[test]
    fn the_command_repeats_the_measurement() {
        assert_eq!(args(false, &[]).command(), "cargo xtask bench speed --rounds 3");
        let detectors = Args { detectors: true, ..args(false, &[]) };
        assert_eq!(detectors.command(), "cargo xtask bench speed --detectors --rounds 3");
        assert_eq!(
            args(true, &["5m@224 b1 "]).command(),
            "cargo xtask bench speed --quick --rounds 3 --cases '5m@224 b1 '"
        );
    }

    #[test]
    fn the_section_says_how_far_the_outputs_are_apart() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let times: [(Runtime, &[f64]); 2] = [(Runtime::Ours, &[6.0]), (Runtime::Openvino, &[4.0])];
        let report = Report {
            command: args(false, &[]).command(),
            machine: Machine::read(&root).expect("rustc is there"),
            comparisons: vec![comparison(case(), &times)],
        };
        let section = report.section();
        assert!(section.contains("within 2.0e-6 of ours"), "{section}");
        assert!(section.contains("](speed.png)"), "{section}");
        let section = report.detectors();
        assert!(section.contains("within 2.0e-6 of ours"), "{section}");
        assert!(!section.contains("speed.png") && section.contains("fastest PyTorch"), "{section}");
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.md");
        for text in ["one", "two"] {
            replace(&path, text).expect("the folder is writable");
            assert_eq!(std::fs::read_to_string(&path).expect("it was written"), text);
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("the folder exists").count(), 1);
    }
}
