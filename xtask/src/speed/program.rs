//! The processes that time a case: our own program, and peers.py.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::case::{Case, DETECTORS, Runtime, Work};
use crate::process::{cargo, last_json, output, succeeds};
use crate::python::{install, virtual_environment};
use crate::workspace::Workspace;

/// The folder of peers.py, chart.py and their requirements.
pub(super) const PEERS: &str = "examples/lab/peers";

const PACKAGE: &str = "lab";
const PROGRAM: &str = "latency";
const NATIVE_WEIGHTS: &str = "crates/tinyvit/weights/native.safetensors";

/// The programs that measure.
pub(super) struct Programs {
    root: PathBuf,
    latency: PathBuf,
    /// The Python that has the other runtimes, where they could be installed.
    python: Option<PathBuf>,
    /// Weights, exported networks and results.
    folder: PathBuf,
}

/// The measurements of one process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Sample {
    pub(super) median_ms: f64,
    pub(super) min_ms: f64,
    pub(super) max_ms: f64,
    /// Nothing where the system does not say.
    pub(super) peak_rss_mb: Option<f64>,
    /// The head's outputs of the first picture, or a detector's logit; none of a training step.
    #[serde(default, skip_serializing)]
    pub(super) outputs: Vec<f64>,
}

impl Programs {
    /// Builds ours, installs the others where that is possible, and writes the weights of `cases`.
    pub(super) fn prepare(workspace: &Workspace, cases: &[Case]) -> Result<Self> {
        let (root, target) = (&workspace.root, &workspace.target_directory);
        let build = ["build", "--release", "--package", PACKAGE, "--bin", PROGRAM];
        ensure!(succeeds(&mut cargo(root, &build))?, "{PROGRAM} does not build");
        eprintln!("installing {PEERS}/requirements.txt into target/venv");
        let python = virtual_environment(target)
            .and_then(|python| install(&python, &root.join(PEERS)).map(|()| python));
        if let Err(error) = &python {
            eprintln!("{error:#}\nThe other runtimes cannot be installed: ours is timed ALONE.");
        }
        let program = format!("release/{PROGRAM}{}", std::env::consts::EXE_SUFFIX);
        let programs = Self {
            root: root.clone(),
            latency: target.join(program),
            python: python.ok(),
            folder: target.join("speed"),
        };
        let folder = programs.folder();
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        programs.write_weights(cases)?;
        Ok(programs)
    }

    /// The folder of weights, exported networks and results.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A script of the folder of the other runtimes, where they are there.
    pub(super) fn script(&self, name: &str) -> Option<Command> {
        let mut command = Command::new(self.python.as_ref()?);
        command.arg(self.root.join(PEERS).join(name)).current_dir(&self.root);
        Some(command)
    }

    /// The other runtimes that `case` is timed on.
    pub(super) fn peers(&self, case: &Case) -> impl Iterator<Item = Runtime> {
        case.peers().filter(move |_| self.python.is_some())
    }

    /// One process that times `iters` runs.
    pub(super) fn sample(&self, case: &Case, runtime: Runtime, iters: usize) -> Result<Sample> {
        let mut command = match runtime {
            Runtime::Ours => Command::new(&self.latency),
            peer => {
                let mut command = self.script("peers.py").context("there is no Python")?;
                command.args(["--runtime", peer.name(), "--cache"]).arg(&self.folder);
                command
            }
        };
        command.args(["--json", "--model", case.model]);
        let numbers = [
            ("--image-size", case.image_size),
            ("--batch", case.batch),
            ("--threads", case.threads),
            ("--iters", iters),
        ];
        for (name, number) in numbers {
            command.arg(name).arg(number.to_string());
        }
        command.args((case.work == Work::Training).then_some("--train"));
        // The peers draw a detector's weights by the same seed.
        let draws = case.work == Work::Detection && runtime != Runtime::Ours;
        if let Some(weights) = self.weights(case).filter(|_| !draws) {
            command.arg("--weights").arg(weights);
        }
        let printed = output(command.current_dir(&self.root))?;
        let unread = || format!("what {} printed of {case}", runtime.name());
        serde_json::from_value(last_json(&printed).with_context(unread)?).with_context(unread)
    }

    /// The weights that every runtime reads: the shipped ones, else random ones that peers.py
    /// draws. A training step needs none.
    fn weights(&self, case: &Case) -> Option<PathBuf> {
        match (case.work, case.model) {
            (Work::Training, _) => None,
            (Work::Inference, "native") => Some(self.root.join(NATIVE_WEIGHTS)),
            (Work::Inference, model) => {
                self.python.as_ref().map(|_| self.folder.join(format!("{model}.safetensors")))
            }
            // A folder.
            (Work::Detection, model) => self.python.as_ref().map(|_| self.folder.join(model)),
        }
    }

    fn write_weights(&self, cases: &[Case]) -> Result<()> {
        for model in ["5m", "21m"].into_iter().chain(DETECTORS) {
            let mut users = cases.iter().filter(|case| case.model == model);
            let path = users.find_map(|case| self.weights(case));
            if let Some((path, mut write)) = path.zip(self.script("peers.py")) {
                eprintln!("drawing the weights of {model}");
                output(write.args(["--model", model, "--write-weights"]).arg(path))?;
            }
        }
        Ok(())
    }
}
