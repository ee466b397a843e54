//! The table in Markdown, and its place in a document.

use anyhow::{Context, Result};

use super::case::Runtime;
use super::comparison::{Comparison, Timing};

/// A section of the document, between the markers of its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    name: &'static str,
    heading: &'static str,
}

/// The networks beside all runtimes.
pub(super) const SPEED: Place = Place { name: "speed", heading: "## Speed" };
/// The detectors beside PyTorch.
pub(super) const DETECTORS: Place =
    Place { name: "detectors", heading: "## Speed of detectors beside PyTorch" };

/// Milliseconds, a row for each comparison; runtimes that timed nothing have no column.
pub(super) fn times(comparisons: &[Comparison]) -> String {
    table(comparisons, "ours / fastest other", time, Comparison::ratio)
}

/// As [`times`], in pictures a second.
pub(super) fn rates(comparisons: &[Comparison]) -> String {
    table(comparisons, "ours / fastest PyTorch", rate, Comparison::speedup)
}

fn table(
    comparisons: &[Comparison],
    last: &str,
    cell: fn(&Comparison, &Timing) -> String,
    ratio: fn(&Comparison) -> Option<f64>,
) -> String {
    let timed = |runtime: &Runtime| comparisons.iter().any(|c| c.on(*runtime).is_some());
    let runtimes: Vec<Runtime> = Runtime::ALL.into_iter().filter(timed).collect();
    let mut head = vec!["case".to_owned(), "threads".to_owned()];
    head.extend(runtimes.iter().map(|runtime| runtime.title().to_owned()));
    head.push(last.to_owned());
    let mut table = line(&head);
    table += &format!("|---|{}\n", "---:|".repeat(head.len() - 1));
    for comparison in comparisons {
        let mut row = vec![comparison.case.title(), comparison.case.threads.to_string()];
        let timing = |runtime: &Runtime| comparison.on(*runtime);
        let cells = runtimes.iter().map(timing);
        row.extend(cells.map(|timing| timing.map_or_else(none, |of| cell(comparison, of))));
        row.push(ratio(comparison).map_or_else(none, |ratio| format!("{ratio:.2}")));
        table += &line(&row);
    }
    table
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

fn none() -> String {
    "-".to_owned()
}

/// The median; of ours also the fastest and the slowest run.
fn time(_: &Comparison, timing: &Timing) -> String {
    shown(timing, [timing.median_ms, timing.min_ms, timing.max_ms])
}

/// As [`time`]: the rate of the median, and those of the slowest and of the fastest run.
fn rate(comparison: &Comparison, timing: &Timing) -> String {
    let rate = |ms: f64| 1e3 * comparison.case.batch as f64 / ms;
    shown(timing, [timing.median_ms, timing.max_ms, timing.min_ms].map(rate))
}

fn shown(timing: &Timing, numbers: [f64; 3]) -> String {
    let [median, low, high] = numbers.map(figures);
    match timing.probe.runtime {
        Runtime::Ours => format!("{median} ({low}-{high})"),
        _ => median,
    }
}

/// A positive number with three figures.
fn figures(number: f64) -> String {
    let decimals = match number {
        number if number < 0.9995 => 3,
        number if number < 9.995 => 2,
        number if number < 99.95 => 1,
        _ => 0,
    };
    format!("{number:.decimals$}")
}

impl Place {
    fn markers(self) -> [String; 2] {
        ["begin", "end"].map(|side| format!("<!-- {}:{side} -->", self.name))
    }

    /// `document` with `section` between its markers, which are appended under a heading if absent.
    pub(super) fn filled(self, document: &str, section: &str) -> Result<String> {
        let [begin, end] = self.markers();
        let section = format!("{begin}\n{}\n{end}", section.trim());
        let Some((before, rest)) = document.split_once(&begin) else {
            let heading = self.heading;
            return Ok(format!("{}\n\n{heading}\n\n{section}\n", document.trim_end()));
        };
        let missing = || format!("{begin} without {end}");
        let (_, after) = rest.split_once(&end).with_context(missing)?;
        Ok(format!("{before}{section}{after}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::comparison::tests::{case, comparison};
    use super::*;
    use crate::speed::case::{Case, Work};

    #[test]
    fn a_row_holds_every_runtime_and_the_ratio() {
        let training = Case { work: Work::Training, batch: 128, ..case() };
        let comparisons = [
            comparison(case(), &[(Runtime::Ours, &[9.0]), (Runtime::Openvino, &[12.0])]),
            comparison(training, &[(Runtime::Ours, &[1234.4]), (Runtime::Torch, &[2000.0])]),
        ];
        assert_eq!(
            times(&comparisons),
            "| case | threads | ours | OpenVINO | PyTorch | ours / fastest other |\n\
             |---|---:|---:|---:|---:|---:|\n\
             | 5m@224, batch 8 | 2 | 9.00 (8.00-10.0) | 12.0 | - | 0.75 |\n\
             | training step, 5m@224, batch 128 | 2 | 1234 (1233-1235) | - | 2000 | 0.62 |\n"
        );
    }

    #[test]
    fn ours_alone_has_no_ratio() {
        let table = times(&[comparison(case(), &[(Runtime::Ours, &[90.0])])]);
        assert!(table.ends_with("| 5m@224, batch 8 | 2 | 90.0 (89.0-91.0) | - |\n"), "{table}");
    }

    #[test]
    fn a_rate_is_the_batch_over_the_time() {
        let case = Case { work: Work::Detection, batch: 32, ..case() };
        let runs: [(Runtime, &[f64]); 3] = [
            (Runtime::Ours, &[16.0]),
            (Runtime::Torch, &[32.0]),
            (Runtime::TorchChannelsLast, &[20.0]),
        ];
        assert_eq!(
            rates(&[comparison(case, &runs)]),
            "| case | threads | ours | PyTorch | PyTorch, channels last | ours / fastest PyTorch |\n\
             |---|---:|---:|---:|---:|---:|\n\
             | 5m@224, batch 32 | 2 | 2000 (1882-2133) | 1000 | 1600 | 1.25 |\n"
        );
    }

    #[test]
    fn times_have_three_figures() {
        assert_eq!([0.1234, 1.2345, 9.996, 99.96].map(figures), ["0.123", "1.23", "10.0", "100"]);
    }

    #[test]
    fn a_section_is_replaced_between_its_markers() {
        let once = SPEED.filled("# A\n\ntext\n", "one\n").expect("a document without markers");
        let end = "<!-- speed:begin -->\none\n<!-- speed:end -->\n";
        assert_eq!(once, format!("# A\n\ntext\n\n## Speed\n\n{end}"));
        let longer = format!("{once}\nmore\n");
        let twice = SPEED.filled(&longer, "two\nlines").expect("both markers are there");
        assert_eq!(twice, longer.replace("one", "two\nlines"));
        let both = DETECTORS.filled(&twice, "three").expect("its markers are appended");
        assert!(both.starts_with(twice.trim_end()), "{both}");
        assert!(
            both.ends_with("<!-- detectors:begin -->\nthree\n<!-- detectors:end -->\n"),
            "{both}"
        );
    }

    #[test]
    fn a_marker_without_its_end_is_an_error() {
        assert!(SPEED.filled("# A\n<!-- speed:begin -->\n", "one").is_err());
    }
}
