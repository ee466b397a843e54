//! The pictures of a report: the given one, the map over it, the model's input, the nine regions.

use std::fmt;

use cifake::Picture;
use gradcam::{Region, reduced};

use super::data_url::DataUrl;
use super::escape::Escaped;
use super::style::length;
use crate::explanation::OPACITY;
use crate::report::content::Report;

/// Number of steps between the colors of the legend.
const N_STEPS: usize = 8;
/// Longest side of a picture in the index, in pixels.
const THUMBNAIL: u32 = 96;

/// The figures of a report.
///
/// The map lies over the given picture if there is one. The model's input then stands small beside
/// the shares of the regions.
pub(super) fn figures(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let class = if report.original.is_some() { "figures photo" } else { "figures" };
    writeln!(f, "<section class=\"{class}\" aria-label=\"Pictures\">")?;
    match &report.original {
        Some(original) => given(f, report, original)?,
        None => seen(f, report)?,
    }
    if report.regions.is_empty() {
        let method = report.method();
        writeln!(
            f,
            "<p class=\"nothing\">{method} found no place that speaks for the verdict.</p>"
        )?;
    } else {
        covered(f, report)?;
    }
    if report.original.is_some() {
        f.write_str("</section>\n<section class=\"figures details\" aria-label=\"Details\">\n")?;
        seen(f, report)?;
    }
    if !report.regions.is_empty() {
        f.write_str("<figure>")?;
        shares(f, report)?;
        f.write_str("<figcaption>Share of the map in each ninth</figcaption></figure>")?;
    }
    f.write_str("</section>\n")
}

/// The picture, small, for an index.
pub(super) fn thumbnail(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let small = reduced(report.shown(), THUMBNAIL);
    image(f, small.pixels(), (small.width(), small.height()), "")
}

/// The picture as it was given.
fn given(f: &mut fmt::Formatter<'_>, report: &Report, original: &Picture) -> fmt::Result {
    let (width, height) = (report.provenance.width, report.provenance.height);
    f.write_str("<figure>")?;
    let size = (original.width(), original.height());
    image(f, original.pixels(), size, "The picture as it was given")?;
    writeln!(f, "<figcaption>The picture, {width}\u{d7}{height} pixels</figcaption></figure>")
}

/// The picture as the model saw it.
fn seen(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let picture = &report.picture;
    let (width, height) = (picture.width(), picture.height());
    f.write_str("<figure>")?;
    image(f, picture.pixels(), (width, height), "The picture as the model saw it")?;
    let caption = format!("As the model saw it, {width}\u{d7}{height} pixels");
    writeln!(f, "<figcaption>{caption}</figcaption></figure>")
}

/// The picture under the map, with a legend.
fn covered(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let overlay = report.overlay(1);
    let strongest = report.strongest();
    f.write_str("<figure>")?;
    let alternative = format!("The picture under the map, strongest in {strongest}");
    image(f, overlay.as_raw(), overlay.dimensions(), &alternative)?;
    write!(f, "<figcaption>What spoke for {}, by {}", report.label, report.method())?;
    legend(f)?;
    writeln!(f, "</figcaption></figure>")
}

fn image(
    f: &mut fmt::Formatter<'_>,
    pixels: &[u8],
    (width, height): (u32, u32),
    alternative: &str,
) -> fmt::Result {
    let picture = DataUrl { pixels, width, height };
    write!(f, "<img src=\"{picture}\" width=\"{width}\" height=\"{height}\" ")?;
    write!(f, "alt=\"{}\">", Escaped(alternative))
}

/// The colors of the map, each with the opacity that it has there.
fn legend(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("<span class=\"legend\"><span>none</span><span class=\"ramp\" ")?;
    f.write_str("style=\"background:linear-gradient(90deg")?;
    for step in 0..=N_STEPS {
        let value = step as f32 / N_STEPS as f32;
        let [red, green, blue] = Report::COLORMAP.color(value);
        write!(f, ",rgb({red} {green} {blue}/{:.3})", OPACITY * value)?;
    }
    f.write_str(")\"></span><span>most</span></span>")
}

/// The nine regions with their shares of the map; the larger the share, the darker the region.
fn shares(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let most = report.regions.iter().map(|region| region.share).fold(0.0, f64::max);
    let (width, height) = (report.shown().width(), report.shown().height());
    write!(f, "<ol class=\"ninths\" style=\"aspect-ratio:{width}/{height}\">")?;
    for region in Region::ALL {
        let found = report.regions.iter().find(|found| found.region == region);
        let share = found.map_or(0.0, |found| found.share);
        let depth = length(share / most);
        write!(f, "<li style=\"--depth:{depth:.0}%\" title=\"{region}\">")?;
        write!(f, "<span class=\"unseen\">{region} </span>{:.0} %</li>", 100.0 * share)?;
    }
    f.write_str("</ol>")
}
