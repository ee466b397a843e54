//! Figures as PNG files. Their font is part of the program, so that they look the same everywhere.

mod canvas;
mod scale;
mod sheet;

use std::ops::Range;
use std::path::Path;

use cifake::text::counted;
use cifake::{Error, Label};
use plotters::chart::SeriesLabelPosition;
use plotters::style::RGBColor;

use crate::metrics::{self, ReliabilityBin, RocPoint};
use canvas::{Area, Axes, BLUE, Drawn, GREY, ORANGE, Series, Shape, chart, px, save};

pub use scale::Scale;
pub use sheet::{SheetRow, contact_sheet};

/// A named line through points.
pub type Curve<'a> = (&'a str, Vec<(f64, f64)>);

/// A chart of curves over a common axis of whole numbers.
#[derive(Debug, Clone)]
pub struct Panel<'a> {
    /// The heading above the panel.
    pub title: &'a str,
    /// The quantity that the horizontal axis counts.
    pub x: &'a str,
    /// The quantity that the vertical axis measures.
    pub y: &'a str,
    /// Name and points of each curve, at most three.
    pub curves: Vec<Curve<'a>>,
    /// Whether the curves fall, which leaves room for the legend at the top.
    pub falls: bool,
}

/// Charts side by side.
///
/// # Errors
///
/// [`Error::Figure`] if there is no point in a panel; [`Error::Write`].
pub fn panels(panels: &[Panel<'_>], path: &Path) -> Result<(), Error> {
    let width = 500 * panels.len() as u32;
    save(path, (width.max(1), 420), |area| {
        let parts = area.split_evenly((1, panels.len()));
        parts.iter().zip(panels).try_for_each(|(part, panel)| draw_panel(part, panel))
    })
}

fn draw_panel(area: &Area<'_>, panel: &Panel<'_>) -> Drawn {
    let colors = [GREY, BLUE, ORANGE];
    let skipped = colors.len().saturating_sub(panel.curves.len()).min(1);
    let curve = |((name, points), color): (&Curve<'_>, &RGBColor)| {
        series(name, *color, Shape::MarkedLine(points.clone()))
    };
    let curves: Vec<Series> =
        panel.curves.iter().zip(colors.iter().skip(skipped).cycle()).map(curve).collect();
    let xs = || panel.curves.iter().flat_map(|(_, points)| points.iter().map(|point| point.0));
    let (first, last) = (xs().fold(f64::INFINITY, f64::min), xs().fold(f64::MIN, f64::max));
    if first > last {
        return Err(format!("the panel `{}` holds no point", panel.title).into());
    }
    let axes = Axes {
        title: panel.title,
        x: panel.x,
        y: panel.y,
        x_range: first - 0.5..last + 0.5,
        y_range: widened(&curves),
        x_tick: whole_number,
        y_tick: |value| format!("{value:.3}"),
        legend: Some(match panel.falls {
            true => SeriesLabelPosition::UpperRight,
            false => SeriesLabelPosition::LowerRight,
        }),
    };
    chart(area, &axes, &curves)
}

/// Hits over false alarms: all of the curve, and its left end on a logarithmic axis.
///
/// `scores` are higher for FAKE.
///
/// # Errors
///
/// If scores and labels do not go together, one label is missing, or `path` cannot be written.
pub fn roc(scores: &[f32], labels: &[Label], path: &Path) -> Result<(), Error> {
    let points = metrics::roc_curve(scores, labels)?;
    let name = format!("AUC {:.4}", metrics::auc(scores, labels)?);
    let n_real = labels.iter().filter(|label| **label == Label::Real).count();
    // The decade below the smallest share of false alarms that so many pictures can show.
    let floor = -(n_real as f64).log10().ceil().clamp(1.0, 6.0);
    let logarithm = |point: &RocPoint| (point.fpr.log10().max(floor), point.tpr);
    let chance = (0..=100).map(|percent| floor * f64::from(percent) / 100.0);
    let linear = [
        series("chance", GREY, Shape::Line(vec![(0.0, 0.0), (1.0, 1.0)])),
        series(&name, BLUE, Shape::Line(points.iter().map(|p| (p.fpr, p.tpr)).collect())),
    ];
    let logarithmic = [
        series("chance", GREY, Shape::Line(chance.map(|x| (x, 10_f64.powf(x))).collect())),
        series(&name, BLUE, Shape::Line(points.iter().map(logarithm).collect())),
    ];
    let axes = |title, x_range, x_tick, legend| Axes {
        title,
        x: "false alarms (REAL called FAKE)",
        y: "hits (FAKE called FAKE)",
        x_range,
        y_range: 0.0..1.02,
        x_tick,
        y_tick: |hits| format!("{hits:.1}"),
        legend: Some(legend),
    };
    save(path, (1000, 460), |area| {
        let (left, right) = area.split_horizontally(px(500));
        let position = SeriesLabelPosition::LowerRight;
        chart(&left, &axes("ROC", 0.0..1.0, |x| format!("{x:.1}"), position), &linear)?;
        let position = SeriesLabelPosition::LowerMiddle;
        chart(&right, &axes("Few false alarms", floor..0.0, power_of_ten, position), &logarithmic)
    })
}

/// The share of right answers at each stated confidence, above the count of pictures at that
/// confidence.
///
/// `scores` are probabilities of FAKE.
///
/// # Errors
///
/// If scores and labels do not go together, a score is no probability, or `path` cannot be written.
pub fn reliability(scores: &[f32], labels: &[Label], path: &Path) -> Result<(), Error> {
    let mut bins = metrics::reliability(scores, labels)?;
    bins.retain(|bin| bin.high > 0.5);
    let lowest = bins[0].low;
    let title = format!(
        "Reliability (ECE {:.4}, {})",
        metrics::expected_calibration_error(scores, labels)?,
        counted(scores.len(), "picture")
    );
    let met = |bin: &&ReliabilityBin| bin.n > 0;
    let right = bins.iter().filter(met).map(|bin| (bin.low..bin.high, bin.accuracy)).collect();
    let said = bins.iter().filter(met).map(|bin| (bin.confidence, bin.accuracy)).collect();
    let share = |bin: &ReliabilityBin| (bin.low..bin.high, bin.n as f64 / scores.len() as f64);
    let accuracy = [
        series("right, by bin", BLUE, Shape::Bars(right)),
        series("perfect calibration", GREY, Shape::Line(vec![(lowest, lowest), (1.0, 1.0)])),
        series("at the mean confidence", ORANGE, Shape::MarkedLine(said)),
    ];
    let counts = [series("", GREY, Shape::Bars(bins.iter().map(share).collect()))];
    let x_range = lowest..1.0;
    let above = Axes {
        title: &title,
        x: "",
        y: "share that is right",
        x_range: x_range.clone(),
        y_range: 0.0..1.02,
        x_tick: |confidence| format!("{confidence:.1}"),
        y_tick: |share| format!("{share:.1}"),
        legend: Some(SeriesLabelPosition::LowerRight),
    };
    let below = Axes {
        title: "How often it is that sure",
        x: "confidence in its answer",
        y: "share of pictures",
        x_range,
        y_range: 0.0..1.02 * heights(&counts).end,
        x_tick: |confidence| format!("{confidence:.1}"),
        y_tick: |share| format!("{share:.2}"),
        legend: None,
    };
    save(path, (560, 700), |area| {
        let (upper, lower) = area.split_vertically(px(450));
        chart(&upper, &above, &accuracy)?;
        chart(&lower, &below, &counts)
    })
}

fn series(name: &str, color: RGBColor, shape: Shape) -> Series {
    Series { name: name.to_owned(), color, shape }
}

/// `3` for 3; nothing between whole numbers.
fn whole_number(value: &f64) -> String {
    let whole = value.round();
    if (value - whole).abs() < 1e-6 { format!("{whole:.0}") } else { String::new() }
}

/// `0.01` for -2; nothing between the decades.
fn power_of_ten(exponent: &f64) -> String {
    let whole = exponent.round();
    if (exponent - whole).abs() > 1e-6 {
        return String::new();
    }
    format!("{:.*}", (-whole).max(0.0) as usize, 10_f64.powf(whole))
}

/// Smallest and largest height, a little apart even where all are equal.
fn heights(all: &[Series]) -> Range<f64> {
    let of = |series: &Series| match &series.shape {
        Shape::Line(points) | Shape::MarkedLine(points) => points.iter().map(|p| p.1).collect(),
        Shape::Bars(bars) => bars.iter().map(|bar| bar.1).collect::<Vec<_>>(),
    };
    let values: Vec<f64> = all.iter().flat_map(of).collect();
    let smallest = values.iter().copied().fold(f64::INFINITY, f64::min);
    smallest..values.into_iter().fold(smallest + 1e-3, f64::max)
}

/// The heights of `all` with some room above and below.
fn widened(all: &[Series]) -> Range<f64> {
    let Range { start, end } = heights(all);
    let room = 0.08 * (end - start);
    start - room..end + room
}

#[cfg(test)]
mod tests {
    use image::GenericImageView;

    use super::*;

    /// Whether the figure in `path` has this size and a line of `color`.
    fn shows(path: &Path, size: (u32, u32), color: RGBColor) -> bool {
        let figure = image::open(path).expect("a figure was written");
        let is_near = |a: u8, b: u8| a.abs_diff(b) < 30;
        let has_color = figure.pixels().any(|(_, _, pixel)| {
            is_near(pixel[0], color.0) && is_near(pixel[1], color.1) && is_near(pixel[2], color.2)
        });
        figure.dimensions() == size && has_color
    }

    fn samples(n: usize) -> (Vec<f32>, Vec<Label>) {
        // A fixed pseudo-random walk: probabilities of which most are on their label's side.
        let score = |i: usize| ((i * 7919) % 1009) as f32 / 1009.0;
        let label = |i: usize| {
            let coin = ((i * 104_729) % 997) as f32 / 997.0;
            if coin < score(i) { Label::Fake } else { Label::Real }
        };
        ((0..n).map(score).collect(), (0..n).map(label).collect())
    }

    #[test]
    fn every_figure_is_written_and_shows_its_curves() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (scores, labels) = samples(2000);
        let path = folder.path().join("roc.png");
        roc(&scores, &labels, &path).expect("both labels are there");
        assert!(shows(&path, (1000, 460), BLUE));
        let path = folder.path().join("reliability.png");
        reliability(&scores, &labels, &path).expect("the scores are probabilities");
        assert!(shows(&path, (560, 700), ORANGE));
        for n_epochs in [1, 12] {
            let path = folder.path().join("curve.png");
            let points = |high: f64| -> Vec<(f64, f64)> {
                (1..=n_epochs).map(|epoch| (f64::from(epoch), high / f64::from(epoch))).collect()
            };
            let curves = vec![("training", points(0.7)), ("validation", points(0.6))];
            let panel = Panel { title: "Loss", x: "epoch", y: "nats", curves, falls: true };
            panels(&[panel.clone(), panel], &path).expect("there are points");
            assert!(shows(&path, (1000, 420), ORANGE));
        }
    }

    #[test]
    fn what_cannot_be_drawn_is_an_error() {
        let path = Path::new("never-written.png");
        let panel = Panel { title: "", x: "", y: "", curves: vec![], falls: true };
        assert!(panels(&[panel], path).is_err());
        assert!(roc(&[0.1, 0.2], &[Label::Real; 2], path).is_err());
        assert!(reliability(&[3.0], &[Label::Fake], path).is_err());
    }

    #[test]
    fn only_decades_get_a_tick() {
        let ticks = [0.0, -1.0, -3.0, -0.5].map(|exponent| power_of_ten(&exponent));
        assert_eq!(ticks, ["1", "0.1", "0.001", ""]);
    }
}
