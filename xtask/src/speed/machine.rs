//! The facts that must be known beside a time: the machine, and the versions of everything that
//! ran.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Serialize;

use super::program::PEERS;
use crate::process::output;

#[path = "../../../examples/cifake/build/commit.rs"]
mod commit;

/// Instruction sets that a matrix product is written for, as Linux calls them.
const INSTRUCTIONS: &[&str] = &[
    "avx",
    "avx2",
    "fma",
    "avx_vnni",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_tile",
    "asimd",
    "sve",
];

/// Requirements that a reader wants to know, and their names.
const RUNTIMES: &[(&str, &str)] = &[
    ("openvino", "OpenVINO"),
    ("onnxruntime", "ONNX Runtime"),
    ("torch", "PyTorch"),
    ("timm", "timm"),
];

/// Shown as one line.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    cpu: String,
    n_cores: usize,
    instructions: Vec<String>,
    /// Of the other runtimes, as they are pinned.
    versions: Vec<String>,
    rustc: String,
    commit: String,
}

impl Machine {
    /// Asks the system and the compiler; the commit is read as the programs read theirs.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let (cpu, instructions) = processor(&cpuinfo);
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let said = |command: &mut Command| {
            output(command.current_dir(root)).map(|text| text.trim().to_owned())
        };
        let requirements = root.join(PEERS).join("requirements.txt");
        let pinned = std::fs::read_to_string(&requirements)
            .with_context(|| format!("read {}", requirements.display()))?;
        Ok(Self {
            cpu,
            n_cores: std::thread::available_parallelism()?.get(),
            instructions,
            versions: versions(&pinned),
            rustc: said(Command::new(rustc).arg("--version"))?,
            commit: commit::checked_out(root).0.unwrap_or_else(|| "unknown".to_owned()),
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu, n_cores, instructions, versions, rustc, commit } = self;
        let cores = if *n_cores == 1 { "core" } else { "cores" };
        let instructions = instructions.join(", ");
        write!(f, "{cpu}, {n_cores} {cores} ({instructions}). {}; ", versions.join(", "))?;
        write!(f, "{rustc}. Commit {commit}")
    }
}

/// Name and instruction sets of the first processor of /proc/cpuinfo.
fn processor(cpuinfo: &str) -> (String, Vec<String>) {
    let lines = cpuinfo.lines().take_while(|line| !line.trim().is_empty());
    let fields: BTreeMap<&str, &str> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim(), value.trim()))
        .collect();
    let field = |name: &str| fields.get(name).copied();
    // A virtual machine often has no telling model name; the numbers give its generation.
    let generation = field("cpu family").zip(field("model"));
    let cpu = match (field("model name"), generation) {
        (Some(name), Some((family, model))) => format!("{name} (family {family}, model {model})"),
        (Some(name), None) => name.to_owned(),
        (None, _) => std::env::consts::ARCH.to_owned(),
    };
    let flags: Vec<&str> =
        field("flags").or(field("Features")).unwrap_or_default().split(' ').collect();
    let known = INSTRUCTIONS.iter().filter(|name| flags.contains(*name));
    (cpu, known.map(|name| (*name).to_owned()).collect())
}

/// Name and version of each runtime that `requirements` pins.
fn versions(requirements: &str) -> Vec<String> {
    let pins: BTreeMap<&str, &str> =
        requirements.lines().filter_map(|line| line.trim().split_once("==")).collect();
    let known = RUNTIMES.iter().filter_map(|(name, title)| Some((title, pins.get(name)?)));
    known.map(|(title, version)| format!("{title} {version}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_processor_is_described() {
        let cpuinfo = "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: A B\n\
                       flags\t\t: fpu avx2 avx fma\n\nprocessor\t: 1\nmodel name\t: C\n";
        let (cpu, instructions) = processor(cpuinfo);
        assert_eq!(cpu, "A B (family 25, model 1)");
        assert_eq!(instructions, ["avx", "avx2", "fma"]);
        let (cpu, instructions) = processor("");
        assert_eq!(cpu, std::env::consts::ARCH);
        assert!(instructions.is_empty());
    }

    #[test]
    fn versions_are_those_that_are_pinned() {
        let pinned = "numpy==2.4.6\nonnxruntime==1.32.0\ntorch==2.15.0\n";
        assert_eq!(versions(pinned), ["ONNX Runtime 1.32.0", "PyTorch 2.15.0"]);
    }

    #[test]
    fn every_runtime_is_pinned() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let pinned = std::fs::read_to_string(root.join(PEERS).join("requirements.txt"))
            .expect("the requirements are committed");
        assert_eq!(versions(&pinned).len(), RUNTIMES.len(), "{pinned}");
    }
}
