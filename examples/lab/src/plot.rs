//! Figures as PNG files. Their font is part of the program, so that they look the same everywhere.

use std::io::Cursor;
use std::ops::Range;
use std::path::Path;

use anyhow::{Result, anyhow, ensure};
use image::imageops::{self, FilterType};
use image::{ImageFormat, RgbImage};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};
use tinyvit::training::Row;

/// Figures are drawn this many times larger and then reduced, which smooths every line.
const OVERSAMPLING: u32 = 3;
const FONT: &str = "dejavu";
const BLUE: RGBColor = RGBColor(0, 114, 178);
const ORANGE: RGBColor = RGBColor(213, 94, 0);
const GREY: RGBColor = RGBColor(150, 150, 150);
const GRID: RGBColor = RGBColor(228, 228, 228);
const INK: RGBColor = RGBColor(40, 40, 40);

type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// A line and its entry in the legend.
struct Curve {
    name: String,
    color: RGBColor,
    points: Vec<(f64, f64)>,
    marked: bool,
}

/// What stands around a chart.
struct Axes<'a> {
    title: &'a str,
    x: &'a str,
    y: &'a str,
    x_range: Range<f64>,
    y_range: Range<f64>,
    x_digits: usize,
    y_digits: usize,
    legend: SeriesLabelPosition,
}

/// Loss, and accuracy and AUC on the validation set, by epoch.
///
/// # Errors
///
/// If there is no row or `path` cannot be written.
pub fn training_curve(rows: &[Row], path: &Path) -> Result<()> {
    ensure!(!rows.is_empty(), "no epoch has ended yet, so there is no curve to draw");
    let curve = |name: &str, color, value: fn(&Row) -> f64| {
        let points = rows.iter().map(|row| (row.epoch as f64, value(row))).collect();
        Curve { name: name.to_owned(), color, points, marked: true }
    };
    let losses = [
        curve("training", GREY, |row| row.train_loss),
        curve("validation", BLUE, |row| row.validation_loss),
    ];
    let scores = [
        curve("AUC", BLUE, |row| row.validation_auc),
        curve("accuracy", ORANGE, |row| row.validation_accuracy),
    ];
    let axes = |title, y, y_range, y_digits, legend| Axes {
        title,
        x: "epoch",
        y,
        x_range: epochs(rows),
        y_range,
        x_digits: 0,
        y_digits,
        legend,
    };
    let (loss, score) = (extent(&losses), extent(&scores));
    let loss = (loss.start - 0.05 * span(&loss)).max(0.0)..loss.end + 0.1 * span(&loss);
    let score = score.start - 0.05 * span(&score)..score.end + 0.05 * span(&score);
    save(path, (1000, 420), |area| {
        let (left, right) = area.split_horizontally((500 * OVERSAMPLING) as i32);
        let position = SeriesLabelPosition::UpperRight;
        chart(&left, &axes("Loss", "cross-entropy", loss, 2, position), &losses)?;
        let position = SeriesLabelPosition::LowerRight;
        chart(&right, &axes("Validation", "fraction", score, 3, position), &scores)
    })
}

fn epochs(rows: &[Row]) -> Range<f64> {
    let first = rows[0].epoch as f64;
    let last = rows[rows.len() - 1].epoch as f64;
    first - 0.5..last + 0.5
}

/// Smallest and largest value of `curves`, a little apart even where all are equal.
fn extent(curves: &[Curve]) -> Range<f64> {
    let values = || curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.1));
    let smallest = values().fold(f64::INFINITY, f64::min);
    smallest..values().fold(smallest, f64::max).max(smallest + 1e-3)
}

fn span(range: &Range<f64>) -> f64 {
    range.end - range.start
}

/// Draws `curves` with axes, grid and legend.
fn chart(area: &Area<'_>, axes: &Axes<'_>, curves: &[Curve]) -> Result<()> {
    let px = |length: u32| length * OVERSAMPLING;
    let text = |size: u32| (FONT, px(size)).into_font().color(&INK);
    let mut chart = ChartBuilder::on(area)
        .margin(px(14))
        .margin_right(px(22))
        .caption(axes.title, (FONT, px(17), FontStyle::Bold).into_font().color(&INK))
        .x_label_area_size(px(44))
        .y_label_area_size(px(60))
        .build_cartesian_2d(axes.x_range.clone(), axes.y_range.clone())?;
    chart
        .configure_mesh()
        .x_desc(axes.x)
        .y_desc(axes.y)
        .x_labels(7)
        .y_labels(7)
        .x_label_formatter(&|x| format!("{x:.*}", axes.x_digits))
        .y_label_formatter(&|y| format!("{y:.*}", axes.y_digits))
        .axis_desc_style(text(14))
        .label_style(text(12))
        .axis_style(INK.stroke_width(OVERSAMPLING))
        .bold_line_style(GRID.stroke_width(OVERSAMPLING))
        .light_line_style(TRANSPARENT)
        .set_all_tick_mark_size(px(4))
        .draw()?;
    for curve in curves {
        let style = curve.color.stroke_width(2 * OVERSAMPLING);
        let line = LineSeries::new(curve.points.iter().copied(), style);
        chart.draw_series(line)?.label(curve.name.clone()).legend(move |(x, y)| {
            PathElement::new([(x, y), (x + 24 * OVERSAMPLING as i32, y)], style)
        });
        if curve.marked {
            let dot = |point: &(f64, f64)| Circle::new(*point, px(3), curve.color.filled());
            chart.draw_series(curve.points.iter().map(dot))?;
        }
    }
    chart
        .configure_series_labels()
        .position(axes.legend.clone())
        .legend_area_size(px(30))
        .margin(px(8))
        .label_font(text(13))
        .background_style(WHITE.mix(0.85))
        .border_style(GRID)
        .draw()?;
    Ok(())
}

/// Writes what `draw` paints on `size` pixels (width, height).
fn save(path: &Path, size: (u32, u32), draw: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<()> {
    for (style, bytes) in
        [(FontStyle::Normal, dejavu::sans::regular()), (FontStyle::Bold, dejavu::sans::bold())]
    {
        register_font(FONT, style, bytes).map_err(|_| anyhow!("the built-in font is broken"))?;
    }
    let (width, height) = (size.0 * OVERSAMPLING, size.1 * OVERSAMPLING);
    let mut pixels = vec![255; width as usize * height as usize * 3];
    let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
    draw(&area)?;
    area.present()?;
    drop(area);
    let drawn = RgbImage::from_raw(width, height, pixels).expect("three bytes a pixel");
    let figure = imageops::resize(&drawn, size.0, size.1, FilterType::Triangle);
    let mut png = Cursor::new(Vec::new());
    figure.write_to(&mut png, ImageFormat::Png)?;
    Ok(cifake::file::write_atomic(path, png.get_ref())?)
}
