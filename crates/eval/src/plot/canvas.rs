//! One look for all figures: font, colours, axes, and how they become a PNG file.

use std::io::Cursor;
use std::ops::Range;
use std::path::Path;

use cifake::Error;
use image::imageops::{self, FilterType};
use image::{ImageFormat, RgbImage};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

/// Figures are drawn this many times larger and then reduced, which smooths every line.
const OVERSAMPLING: u32 = 3;
const FONT: &str = "dejavu";
/// Size of what stands outside a chart, in pixels of the finished figure.
pub(super) const TEXT_SIZE: u32 = 13;
const GRID: RGBColor = RGBColor(228, 228, 228);
const INK: RGBColor = RGBColor(40, 40, 40);
/// Colours that colour-blind readers tell apart (Okabe and Ito 2008).
pub(super) const BLUE: RGBColor = RGBColor(0, 114, 178);
pub(super) const ORANGE: RGBColor = RGBColor(213, 94, 0);
pub(super) const GREY: RGBColor = RGBColor(150, 150, 150);

/// The drawing library's error for a figure that it cannot draw.
pub(super) type Drawn = Result<(), Box<dyn std::error::Error>>;

pub(super) type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// A length of `length` pixels of the finished figure.
pub(super) fn px(length: u32) -> i32 {
    wide(length) as i32
}

/// As [`px`], for strokes.
fn wide(length: u32) -> u32 {
    length * OVERSAMPLING
}

/// The curve or bars between the axes, with their entry in the legend.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) color: RGBColor,
    pub(super) shape: Shape,
}

/// The form in which a series is drawn.
pub(super) enum Shape {
    Line(Vec<(f64, f64)>),
    MarkedLine(Vec<(f64, f64)>),
    /// From 0 up to a height, between two values on the horizontal axis.
    Bars(Vec<(Range<f64>, f64)>),
}

/// The title, labels and ranges around a chart.
pub(super) struct Axes<'a> {
    pub(super) title: &'a str,
    pub(super) x: &'a str,
    pub(super) y: &'a str,
    pub(super) x_range: Range<f64>,
    pub(super) y_range: Range<f64>,
    pub(super) x_tick: fn(&f64) -> String,
    pub(super) y_tick: fn(&f64) -> String,
    /// The place of the legend, if there is one.
    pub(super) legend: Option<SeriesLabelPosition>,
}

/// Writes `text` so that its upper left corner stands at `at` (x, y) of the finished figure.
pub(super) fn write(area: &Area<'_>, text: &str, at: (u32, u32), style: FontStyle) -> Drawn {
    let font = (FONT, px(TEXT_SIZE), style).into_font().color(&INK);
    Ok(area.draw(&Text::new(text, (px(at.0), px(at.1)), font))?)
}

/// Draws `series` over one another, with axes, grid and legend.
pub(super) fn chart(area: &Area<'_>, axes: &Axes<'_>, series: &[Series]) -> Drawn {
    let text = |size: u32| (FONT, px(size)).into_font().color(&INK);
    let mut chart = ChartBuilder::on(area)
        .margin(px(14))
        .margin_right(px(22))
        .caption(axes.title, (FONT, px(17), FontStyle::Bold).into_font().color(&INK))
        .x_label_area_size(px(44))
        .y_label_area_size(px(62))
        .build_cartesian_2d(axes.x_range.clone(), axes.y_range.clone())?;
    chart
        .configure_mesh()
        .x_desc(axes.x)
        .y_desc(axes.y)
        .x_labels(7)
        .y_labels(7)
        .x_label_formatter(&axes.x_tick)
        .y_label_formatter(&axes.y_tick)
        .axis_desc_style(text(14))
        .label_style(text(12))
        .axis_style(INK.stroke_width(wide(1)))
        .bold_line_style(GRID.stroke_width(wide(1)))
        .light_line_style(TRANSPARENT)
        .set_all_tick_mark_size(px(4))
        .draw()?;
    for Series { name, color, shape } in series {
        let style = color.stroke_width(wide(2));
        let drawn = match shape {
            Shape::Line(points) | Shape::MarkedLine(points) => {
                chart.draw_series(LineSeries::new(points.iter().copied(), style))?
            }
            Shape::Bars(bars) => chart.draw_series(bars.iter().map(|(side, height)| {
                let corners = [(side.start, 0.0), (side.end, *height)];
                let mut bar = Rectangle::new(corners, color.mix(0.55).filled());
                bar.set_margin(0, 0, wide(1), wide(1));
                bar
            }))?,
        };
        let length = px(24);
        drawn
            .label(name.clone())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + length, y)], style));
        if let Shape::MarkedLine(points) = shape {
            let dot = |point: &(f64, f64)| Circle::new(*point, px(3), color.filled());
            chart.draw_series(points.iter().map(dot))?;
        }
    }
    if let Some(position) = &axes.legend {
        chart
            .configure_series_labels()
            .position(position.clone())
            .legend_area_size(px(30))
            .margin(px(8))
            .label_font(text(13))
            .background_style(WHITE.mix(0.85))
            .border_style(GRID)
            .draw()?;
    }
    Ok(())
}

/// Writes what `draw` paints as a PNG of `size` (width, height) pixels.
pub(super) fn save(
    path: &Path,
    size: (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Drawn,
) -> Result<(), Error> {
    save_with_pictures(path, size, draw, &[])
}

/// As [`save`], with `pictures` laid over the drawing pixel by pixel, each with its upper left corner.
pub(super) fn save_with_pictures(
    path: &Path,
    size: (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Drawn,
    pictures: &[(RgbImage, (u32, u32))],
) -> Result<(), Error> {
    let failed = |error: Box<dyn std::error::Error>| Error::Figure {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let png = painted(size, draw, pictures).map_err(failed)?;
    cifake::file::write_atomic(path, &png)
}

/// The PNG of `size` pixels that `draw` paints.
fn painted(
    size: (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Drawn,
    pictures: &[(RgbImage, (u32, u32))],
) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let fonts =
        [(FontStyle::Normal, dejavu::sans::regular()), (FontStyle::Bold, dejavu::sans::bold())];
    for (style, bytes) in fonts {
        register_font(FONT, style, bytes).map_err(|_| "the built-in font is broken")?;
    }
    let (width, height) = (wide(size.0), wide(size.1));
    let mut pixels = vec![255; width as usize * height as usize * 3];
    let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
    draw(&area)?;
    area.present()?;
    drop(area);
    let drawn = RgbImage::from_raw(width, height, pixels).expect("three bytes a pixel");
    let mut figure = imageops::resize(&drawn, size.0, size.1, FilterType::Triangle);
    for (picture, (left, top)) in pictures {
        imageops::replace(&mut figure, picture, i64::from(*left), i64::from(*top));
    }
    let mut png = Cursor::new(Vec::new());
    figure.write_to(&mut png, ImageFormat::Png)?;
    Ok(png.into_inner())
}
