//! One case on every runtime: first the same numbers, then the times.

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::case::{Case, Runtime};
use super::program::{Programs, Sample};

/// The length of the timed part of a process, and the least number of its runs.
const TIMED_MS: f64 = 2000.0;
const MIN_ITERS: usize = 3;

/// Largest difference of two runtimes' outputs, over the largest output. All of them sum in f32, in
/// different orders, which leaves 1e-6; other weights or another formula leave 1e-2 and more.
pub(super) const LIMIT: f64 = 1e-4;

/// A case on every runtime, ours first.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Comparison {
    pub(super) case: Case,
    pub(super) timings: Vec<Timing>,
}

/// All that was measured of a case on a runtime.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Timing {
    #[serde(flatten)]
    pub(super) probe: Probe,
    /// Median over the rounds of each round's median.
    pub(super) median_ms: f64,
    /// The fastest run of all rounds.
    pub(super) min_ms: f64,
    /// The slowest run of all rounds.
    pub(super) max_ms: f64,
    pub(super) rounds: Vec<Sample>,
}

/// The findings of a first process.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Probe {
    pub(super) runtime: Runtime,
    /// Timed runs of each round.
    pub(super) iters: usize,
    /// Of its outputs from ours.
    pub(super) difference: Option<f64>,
}

impl Comparison {
    /// Checks that every runtime computes the same, then times them in turns.
    pub(super) fn measure(programs: &Programs, case: &Case, n_rounds: u32) -> Result<Self> {
        let probes = probes(programs, case)?;
        let mut rounds = vec![Vec::new(); probes.len()];
        for round in 1..=n_rounds {
            for (probe, samples) in probes.iter().zip(&mut rounds) {
                let sample = programs.sample(case, probe.runtime, probe.iters)?;
                progress(&format!("round {round}"), probe.runtime, &sample);
                samples.push(sample);
            }
        }
        let both = probes.into_iter().zip(rounds);
        let timings = both.map(|(probe, rounds)| Timing::of(probe, rounds)).collect();
        Ok(Self { case: *case, timings })
    }

    /// The timing on `runtime`.
    pub(super) fn on(&self, runtime: Runtime) -> Option<&Timing> {
        self.timings.iter().find(|timing| timing.probe.runtime == runtime)
    }

    /// Rate of ours over that of the fastest other runtime.
    pub(super) fn speedup(&self) -> Option<f64> {
        self.ratio().map(f64::recip)
    }

    /// Time of ours over that of the fastest other runtime.
    pub(super) fn ratio(&self) -> Option<f64> {
        let (ours, peers) = self.timings.split_first()?;
        let fastest = peers.iter().map(|timing| timing.median_ms).min_by(f64::total_cmp)?;
        Some(ours.median_ms / fastest)
    }
}

impl Timing {
    /// # Panics
    ///
    /// If there is no round.
    pub(super) fn of(probe: Probe, rounds: Vec<Sample>) -> Self {
        let mut medians: Vec<f64> = rounds.iter().map(|sample| sample.median_ms).collect();
        Self {
            probe,
            median_ms: median(&mut medians),
            min_ms: rounds.iter().map(|sample| sample.min_ms).fold(f64::INFINITY, f64::min),
            max_ms: rounds.iter().map(|sample| sample.max_ms).fold(0.0, f64::max),
            rounds,
        }
    }
}

/// Runs every runtime once; an error if its outputs are not ours.
fn probes(programs: &Programs, case: &Case) -> Result<Vec<Probe>> {
    let ours = programs.sample(case, Runtime::Ours, MIN_ITERS)?;
    progress("probe", Runtime::Ours, &ours);
    let n = iters(ours.median_ms);
    let mut probes = vec![Probe { runtime: Runtime::Ours, iters: n, difference: None }];
    for runtime in programs.peers(case) {
        let theirs = programs.sample(case, runtime, MIN_ITERS)?;
        progress("probe", runtime, &theirs);
        let difference = match case.is_compared() {
            false => None,
            true => Some(
                agreement(&ours.outputs, &theirs.outputs)
                    .with_context(|| format!("{case} on {}", runtime.name()))?,
            ),
        };
        probes.push(Probe { runtime, iters: iters(theirs.median_ms), difference });
    }
    Ok(probes)
}

fn progress(step: &str, runtime: Runtime, sample: &Sample) {
    let memory = sample.peak_rss_mb.map_or_else(String::new, |mb| format!("{mb:>9.0} MB"));
    eprintln!("  {step:<10} {:<20} {:>11.3} ms{memory}", runtime.name(), sample.median_ms);
}

/// As many runs as the timed part of a process should have, by the time of one.
fn iters(run_ms: f64) -> usize {
    ((TIMED_MS / run_ms).ceil() as usize).max(MIN_ITERS)
}

/// The difference of two runtimes' outputs; an error if it is over the limit.
fn agreement(ours: &[f64], theirs: &[f64]) -> Result<f64> {
    let (n, expected) = (ours.len(), theirs.len());
    ensure!(n == expected && n > 0, "ours gave {n} outputs, the other runtime {expected}");
    let apart = ours.iter().zip(theirs).map(|(ours, theirs)| ours - theirs);
    let difference = largest(apart) / largest(theirs.iter().copied());
    ensure!(
        difference <= LIMIT,
        "the outputs differ by {difference:.1e} of the largest, the limit is {LIMIT:.0e}: times of \
         different numbers are not compared"
    );
    Ok(difference)
}

fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.map(f64::abs).fold(0.0, f64::max)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len() - 1;
    f64::midpoint(values[last / 2], values[values.len() / 2])
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::speed::case::Work;

    /// A comparison whose runtimes took these milliseconds in each round.
    pub(in crate::speed) fn comparison(case: Case, times: &[(Runtime, &[f64])]) -> Comparison {
        let sample = |ms: &f64| Sample {
            median_ms: *ms,
            min_ms: ms - 1.0,
            max_ms: ms + 1.0,
            peak_rss_mb: None,
            outputs: Vec::new(),
        };
        let timings = times.iter().map(|(runtime, rounds)| {
            let difference = (*runtime != Runtime::Ours).then_some(2e-6);
            let probe = Probe { runtime: *runtime, iters: 3, difference };
            Timing::of(probe, rounds.iter().map(sample).collect())
        });
        Comparison { case, timings: timings.collect() }
    }

    pub(in crate::speed) fn case() -> Case {
        Case { work: Work::Inference, model: "5m", image_size: 224, batch: 8, threads: 2 }
    }

    #[test]
    fn a_figure_is_the_median_over_rounds_with_the_extremes_of_all() {
        let comparison = comparison(case(), &[(Runtime::Ours, &[9.0, 5.0, 6.0])]);
        let timing = comparison.on(Runtime::Ours).expect("ours was timed");
        assert_eq!([timing.median_ms, timing.min_ms, timing.max_ms], [6.0, 4.0, 10.0]);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 9.0]), 3.0);
    }

    #[test]
    fn ours_is_held_against_the_fastest_other_runtime() {
        let times: [(Runtime, &[f64]); 3] =
            [(Runtime::Ours, &[6.0]), (Runtime::Openvino, &[4.0]), (Runtime::Torch, &[12.0])];
        assert_eq!(comparison(case(), &times).ratio(), Some(1.5));
        assert_eq!(comparison(case(), &times).speedup(), Some(1.5_f64.recip()));
        assert_eq!(comparison(case(), &times[..1]).ratio(), None);
    }

    #[test]
    fn outputs_must_agree() {
        let difference = agreement(&[1.0, -2.0], &[1.0, -2.0001]).expect("under the limit");
        assert!((difference - 5e-5).abs() < 1e-7, "{difference}");
        let error = agreement(&[1.0, -2.0], &[1.0, 2.0]).expect_err("the sign differs");
        assert!(error.to_string().contains("2.0e0"), "{error}");
        assert!(agreement(&[1.0], &[1.0, 1.0]).is_err());
        assert!(agreement(&[], &[]).is_err());
        assert!(agreement(&[0.0], &[0.0]).is_err());
    }

    #[test]
    fn a_process_times_two_seconds_and_three_runs_at_least() {
        assert_eq!([iters(0.5), iters(300.0), iters(9000.0)], [4000, 7, 3]);
    }

    #[test]
    fn the_program_and_peers_print_what_is_read() {
        let printed = r#"{"median_ms": 2.0, "min_ms": 1, "max_ms": 3, "peak_rss_mb": null}"#;
        let sample: Sample = serde_json::from_str(printed).expect("a training step's sample");
        assert!(sample.outputs.is_empty() && sample.peak_rss_mb.is_none());
    }
}
