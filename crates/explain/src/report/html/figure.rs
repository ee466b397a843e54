//! The picture, the map over it, and the map in nine numbers.

use std::fmt;

use gradcam::REGIONS;

use super::data_url::DataUrl;
use super::escape::Escaped;
use super::length;
use crate::explanation::OPACITY;
use crate::report::Report;

/// Steps in which the legend shows the colours of the map.
const N_STEPS: usize = 8;

/// The figures side by side.
pub(super) fn figures(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let (width, height) = (report.picture.width(), report.picture.height());
    let seen = format!("As the model saw it, {width}\u{d7}{height} pixels");
    let picture = DataUrl { pixels: report.picture.pixels(), width, height };
    f.write_str("<section class=\"figures\" aria-label=\"Pictures\">\n")?;
    write!(f, "<figure><img src=\"{picture}\" width=\"{width}\" height=\"{height}\" ")?;
    writeln!(
        f,
        "alt=\"The picture as the model saw it\"><figcaption>{seen}</figcaption></figure>"
    )?;
    if report.regions.is_empty() {
        let method = report.method();
        write!(f, "<p class=\"nothing\">{method} found no place that speaks for the verdict.</p>")?;
        return f.write_str("</section>\n");
    }
    let overlay = report.overlay(1);
    let (width, height) = overlay.dimensions();
    let overlay = DataUrl { pixels: overlay.as_raw(), width, height };
    write!(f, "<figure><img src=\"{overlay}\" width=\"{width}\" height=\"{height}\" ")?;
    write!(f, "alt=\"The picture under the map, strongest in ")?;
    write!(f, "{}\"><figcaption>What spoke for ", Escaped(&report.strongest()))?;
    write!(f, "{}, by {}", report.label, report.method())?;
    legend(f)?;
    f.write_str("</figcaption></figure>\n<figure>")?;
    shares(f, report)?;
    f.write_str("<figcaption>Share of the map in each ninth</figcaption></figure></section>\n")
}

/// The picture as small as it is, for an index.
pub(super) fn thumbnail(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let (width, height) = (report.picture.width(), report.picture.height());
    let picture = DataUrl { pixels: report.picture.pixels(), width, height };
    write!(f, "<img src=\"{picture}\" width=\"{width}\" height=\"{height}\" alt=\"\">")
}

/// The colours of the map, each covering as much as it does there.
fn legend(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("<span class=\"legend\"><span>none</span><span class=\"ramp\" ")?;
    f.write_str("style=\"background:linear-gradient(90deg")?;
    for step in 0..=N_STEPS {
        let value = step as f32 / N_STEPS as f32;
        let [red, green, blue] = Report::COLOURS.of(value);
        write!(f, ",rgb({red} {green} {blue}/{:.3})", OPACITY * value)?;
    }
    f.write_str(")\"></span><span>most</span></span>")
}

/// The nine regions with their shares of the map, the stronger the darker.
fn shares(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let most = report.regions.iter().map(|region| region.share).fold(0.0, f64::max);
    let (width, height) = (report.picture.width(), report.picture.height());
    write!(f, "<ol class=\"ninths\" style=\"aspect-ratio:{width}/{height}\">")?;
    for name in REGIONS {
        let found = report.regions.iter().find(|region| region.name == name);
        let share = found.map_or(0.0, |region| region.share);
        let depth = length(share / most);
        write!(f, "<li style=\"--depth:{depth:.0}%\" title=\"{name}\">")?;
        write!(f, "<span class=\"unseen\">{name} </span>{:.0} %</li>", 100.0 * share)?;
    }
    f.write_str("</ol>")
}
