//! The cost of a detector: measured in a process of its own, so that its memory is its own.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use burn::tensor::Device;
use cifake_eval::Latency;
use serde::{Deserialize, Serialize};

use crate::args::{builder, open};
use crate::exit::BROKEN_OFF;
use crate::peak_resident;

/// Pictures of the larger batch, where the memory allows them.
const BATCH: usize = 32;
/// For the runs of a batch.
const TIME: Duration = Duration::from_secs(10);

/// Time and memory of a detector on one thread of the processor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// One picture at a time.
    pub(super) one: Latency,
    /// 32 pictures at a time, or as many as fit into the detector's memory.
    pub(super) many: Latency,
    /// Peak of the resident memory of a process that loads the weights and judges both batches, in bytes (VmHWM
    /// of Linux); absent elsewhere.
    pub(super) peak_bytes: Option<u64>,
    /// Name of the processor, where the system tells.
    pub(super) cpu: Option<String>,
    /// Whether the program was built with optimizations.
    pub(super) optimized: bool,
}

impl Cost {
    /// Measures the detector of `weights` in this process.
    ///
    /// # Errors
    ///
    /// Weights that cannot be read; threads that the system refuses.
    pub(crate) fn measure(weights: &Path) -> Result<Self> {
        let detector = open(builder().threads(1)?, weights)?;
        let latency = |batch| {
            Latency::measure(&detector, detector.input_size(), batch, &Device::flex(), TIME)
        };
        Ok(Self {
            one: latency(1),
            many: latency(BATCH.min(detector.batch_size())),
            peak_bytes: peak_resident(),
            cpu: cpu(),
            optimized: !cfg!(debug_assertions),
        })
    }

    /// Measures it in a process of its own.
    ///
    /// # Errors
    ///
    /// As [`measure`](Self::measure); a process that cannot be started.
    pub(super) fn in_a_process(weights: &Path) -> Result<Self> {
        let program = std::env::current_exe().context("the path of this program")?;
        // A name may begin with a dash.
        let mut argument = OsString::from("--cost-of=");
        argument.push(weights);
        let mut command = Command::new(program);
        command.arg("leaderboard").arg(argument);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().context("start this program once more")?;
        // It stays open while this process lives; the other one ends when it closes.
        let alive = child.stdin.take();
        let output = child.wait_with_output().context("wait for this program")?;
        drop(alive);
        ensure!(output.status.success(), "its time and memory cannot be measured");
        serde_json::from_slice(&output.stdout).context("its time and memory cannot be read")
    }
}

/// Ends this process when its standard input closes: whoever waits for its measures is gone.
pub(crate) fn end_with_the_other() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        std::process::exit(i32::from(BROKEN_OFF));
    });
}

/// Linux names it in /proc.
fn cpu() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
