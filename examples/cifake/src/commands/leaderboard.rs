//! `cifake leaderboard`: detectors beside each other.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Result, ensure};
use cifake::error_chain;
use cifake::text::{one_line, path_text, printable};

use crate::args::{DataArgs, threads};
use crate::leaderboard::{
    Bench, Cost, DEFAULT, Folder, PartArgs, Samples, Setting, end_with_the_other, entrants, summary,
};
use crate::part::Part;
use crate::progress_bar;

/// Measures several detectors on the same pictures and makes a page of them.
///
/// Each detector is a JSON file in --out: accuracy, ranking, calibration, McNemar's test against native,
/// time, memory and how it was made. A row of the same weights, pictures and limit is not measured
/// again. leaderboard.md and leaderboard.html are made of all JSON files in the folder.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cifake leaderboard                                all shipped weights, the 20,000 test pictures
  cifake leaderboard --detectors native,mine=runs/mine/best.safetensors --limit 2000
  cifake leaderboard --static datasets/perturbed --adaptive 200 --degradations
  cifake leaderboard --data my/folder --json

Exit status: 0 if every detector has its row, 1 if some have none or some pictures could not be read,
2 if nothing could be done.")]
pub(crate) struct Args {
    #[command(flatten)]
    data: DataArgs,
    /// Names of shipped weights, weight files or NAME=FILE, with commas between; all stands for all
    /// shipped weights.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "all")]
    detectors: Vec<String>,
    /// Part of the data set.
    #[arg(long, value_enum, default_value = "test")]
    split: Part,
    /// Measure this many pictures only, half of them REAL, drawn by the seed.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    parts: PartArgs,
    /// Folder of the rows and pages.
    #[arg(long, value_name = "DIR", default_value = "runs/leaderboard")]
    out: PathBuf,
    /// Make rows again that are there. Finished parts stay, but for those that are asked for.
    #[arg(long)]
    again: bool,
    /// Fail if a picture cannot be read, instead of counting it.
    #[arg(long)]
    strict: bool,
    /// flex, ndarray, wgpu or cuda:0; times are always those of flex.
    #[arg(long, default_value = "flex")]
    device: String,
    /// Threads to decode and compute in; 0 takes all cores. Times are always those of one thread.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = threads)]
    threads: usize,
    /// Seed of the limit's draw, of the attacks and of the bootstrap.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print the rows as JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Measure time and memory of these weights in this process.
    #[arg(long, hide = true, value_name = "NAME|FILE", exclusive = true)]
    cost_of: Option<PathBuf>,
    /// Measure two detectors on the committed mini set.
    #[arg(long, hide = true)]
    smoke: bool,
}

/// Returns how many detectors have no row and how many pictures could not be read, together.
pub(crate) fn run(mut args: Args) -> Result<usize> {
    let mut out = io::stdout();
    if let Some(weights) = &args.cost_of {
        end_with_the_other();
        writeln!(out, "{}", serde_json::to_string(&Cost::measure(weights)?)?)?;
        return Ok(0);
    }
    let temporary = tempfile::tempdir()?;
    if args.smoke {
        args.out = temporary.path().to_owned();
        args.detectors = [DEFAULT, "resnet18_32"].map(str::to_owned).into();
    }
    let entrants = entrants(&args.detectors)?;
    let setting = args.setting()?;
    args.parts.check()?;
    let mut folder = Folder::open(&args.out, args.again)?;
    let bar = progress_bar()?;
    let mut bench = Bench::new(setting, &bar)?;
    let mut n_failed = 0;
    for entrant in &entrants {
        if let Err(error) = bench.measure(entrant, &mut folder) {
            n_failed += 1;
            let (weights, reason) = (path_text(&entrant.weights), error_chain(error.as_ref()));
            bar.say(&printable(&format!("error: {weights}: {reason}")));
        }
    }
    let n_unread = bench.n_unread();
    bar.finish_and_clear();
    ensure!(n_failed < entrants.len(), "no detector could be measured");
    let pages = folder.write_pages()?;
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&folder.rows())?)?;
    } else {
        write!(out, "{}", summary(&folder.rows()))?;
        for page in &pages {
            writeln!(out, "{}", one_line(&path_text(page)))?;
        }
    }
    Ok(n_failed + n_unread)
}

impl Args {
    /// The setting in which the detectors are measured.
    fn setting(&self) -> Result<Setting> {
        let path = self.data.path(self.smoke)?;
        // A data set that cannot be opened is no fault of a detector.
        self.data.listed(&path)?;
        let samples = Samples {
            path,
            data: self.data.clone(),
            part: self.split,
            limit: self.limit,
            seed: self.seed,
            drawn: Vec::new(),
        };
        Ok(Setting {
            samples,
            device: cifake::device::parse(&self.device)?,
            threads: self.threads,
            parts: self.parts.clone(),
            again: self.again,
            strict: self.strict,
            attacks: self.out.join("attacks"),
        })
    }
}
