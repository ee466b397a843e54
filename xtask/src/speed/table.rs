//! The table in Markdown, and its place in a document.

use anyhow::{Context, Result};

use super::case::Runtime;
use super::comparison::Comparison;

const BEGIN: &str = "<!-- speed:begin -->";
const END: &str = "<!-- speed:end -->";
const HEADING: &str = "## Speed";

/// A row for each comparison; runtimes that timed nothing have no column.
pub(super) fn table(comparisons: &[Comparison]) -> String {
    let timed = |runtime: &Runtime| comparisons.iter().any(|c| c.on(*runtime).is_some());
    let runtimes: Vec<Runtime> = Runtime::ALL.into_iter().filter(timed).collect();
    let mut head = vec!["case".to_owned(), "threads".to_owned()];
    head.extend(runtimes.iter().map(|runtime| runtime.title().to_owned()));
    head.push("ours / fastest other".to_owned());
    let mut table = line(&head);
    table += &format!("|---|{}\n", "---:|".repeat(head.len() - 1));
    for comparison in comparisons {
        let mut row = vec![comparison.case.title(), comparison.case.threads.to_string()];
        row.extend(runtimes.iter().map(|runtime| time(comparison, *runtime)));
        row.push(comparison.ratio().map_or_else(none, |ratio| format!("{ratio:.2}")));
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
fn time(comparison: &Comparison, runtime: Runtime) -> String {
    let Some(timing) = comparison.on(runtime) else { return none() };
    let [median, min, max] = [timing.median_ms, timing.min_ms, timing.max_ms].map(figures);
    match runtime {
        Runtime::Ours => format!("{median} ({min}-{max})"),
        _ => median,
    }
}

/// Milliseconds with three figures.
fn figures(ms: f64) -> String {
    let decimals = match ms {
        ms if ms < 0.9995 => 3,
        ms if ms < 9.995 => 2,
        ms if ms < 99.95 => 1,
        _ => 0,
    };
    format!("{ms:.decimals$}")
}

/// `document` with `section` between its markers, which are appended under a heading if absent.
pub(super) fn placed(document: &str, section: &str) -> Result<String> {
    let section = format!("{BEGIN}\n{}\n{END}", section.trim());
    let Some((before, rest)) = document.split_once(BEGIN) else {
        return Ok(format!("{}\n\n{HEADING}\n\n{section}\n", document.trim_end()));
    };
    let (_, after) = rest.split_once(END).with_context(|| format!("{BEGIN} without {END}"))?;
    Ok(format!("{before}{section}{after}"))
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
            table(&comparisons),
            "| case | threads | ours | OpenVINO | PyTorch | ours / fastest other |\n\
             |---|---:|---:|---:|---:|---:|\n\
             | 5m@224, batch 8 | 2 | 9.00 (8.00-10.0) | 12.0 | - | 0.75 |\n\
             | training step, 5m@224, batch 128 | 2 | 1234 (1233-1235) | - | 2000 | 0.62 |\n"
        );
    }

    #[test]
    fn ours_alone_has_no_ratio() {
        let table = table(&[comparison(case(), &[(Runtime::Ours, &[90.0])])]);
        assert!(table.ends_with("| 5m@224, batch 8 | 2 | 90.0 (89.0-91.0) | - |\n"), "{table}");
    }

    #[test]
    fn times_have_three_figures() {
        assert_eq!([0.1234, 1.2345, 9.996, 99.96].map(figures), ["0.123", "1.23", "10.0", "100"]);
    }

    #[test]
    fn a_section_is_replaced_between_its_markers() {
        let once = placed("# A\n\ntext\n", "one\n").expect("a document without markers");
        let end = format!("{BEGIN}\none\n{END}\n");
        assert_eq!(once, format!("# A\n\ntext\n\n## Speed\n\n{end}"));
        let longer = format!("{once}\nmore\n");
        let twice = placed(&longer, "two\nlines").expect("both markers are there");
        assert_eq!(twice, longer.replace("one", "two\nlines"));
    }

    #[test]
    fn a_marker_without_its_end_is_an_error() {
        assert!(placed(&format!("# A\n{BEGIN}\n"), "one").is_err());
    }
}
