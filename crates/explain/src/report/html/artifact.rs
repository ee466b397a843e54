//! The artifacts of a report as a table.

use std::fmt;

use gradcam::Region;

use super::escape::Escaped;
use super::style::length;
use crate::report::number::{significant, standing};
use crate::{Evidence, Finding};

/// Headings of the columns.
const COLUMNS: [&str; 4] = ["Artifact", "Where", "Measured", "Among camera pictures"];

/// One row a finding. Roles are explicit: on a narrow page, the style lays the rows out as blocks.
pub(super) fn artifacts(f: &mut fmt::Formatter<'_>, findings: &[Finding]) -> fmt::Result {
    if findings.is_empty() {
        return f.write_str("<p class=\"nothing\">No artifact is named.</p>");
    }
    f.write_str("<table role=\"table\"><thead role=\"rowgroup\"><tr role=\"row\">")?;
    for column in COLUMNS {
        write!(f, "<th role=\"columnheader\" scope=\"col\">{column}</th>")?;
    }
    f.write_str("</tr></thead><tbody role=\"rowgroup\">\n")?;
    for finding in findings {
        f.write_str("<tr role=\"row\">")?;
        name(f, finding)?;
        region(f, finding.region)?;
        evidence(f, finding.evidence.as_ref())?;
        f.write_str("</tr>\n")?;
    }
    f.write_str("</tbody></table>\n")?;
    if findings.iter().any(|finding| finding.evidence.is_some()) {
        f.write_str(
            "<p class=\"key\"><span class=\"rank\" aria-hidden=\"true\"></span> The band holds the \
             middle 90 % of camera pictures, the mark is this picture.</p>",
        )?;
    }
    Ok(())
}

fn name(f: &mut fmt::Formatter<'_>, finding: &Finding) -> fmt::Result {
    write!(f, "<th role=\"rowheader\" scope=\"row\">{}", Escaped(finding.artifact.name()))?;
    write!(f, "<span class=\"why\">{}</span>", Escaped(&finding.explanation))?;
    if !finding.said_by.is_empty() {
        let names = finding.said_by.join(", ");
        write!(f, "<span class=\"by\">said by {}</span>", Escaped(&names))?;
    }
    f.write_str("</th>")
}

/// The region, marked in a grid of nine; all nine if it is everywhere.
fn region(f: &mut fmt::Formatter<'_>, region: Option<Region>) -> fmt::Result {
    f.write_str("<td role=\"cell\" class=\"where\">")?;
    f.write_str("<svg viewBox=\"0 0 32 32\" width=\"32\" height=\"32\" aria-hidden=\"true\">")?;
    for place in Region::ALL {
        let (row, column) = place.place();
        let (x, y) = (column * 11, row * 11);
        let class = match region {
            None => "all",
            Some(region) if region == place => "on",
            Some(_) => "off",
        };
        write!(f, "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"10\" height=\"10\"/>")?;
    }
    write!(f, "</svg><span>{}</span></td>", region.map_or("everywhere", Region::as_str))
}

fn evidence(f: &mut fmt::Formatter<'_>, evidence: Option<&Evidence>) -> fmt::Result {
    f.write_str("<td role=\"cell\" class=\"measured\">")?;
    let Some(Evidence { measure, value, percentile }) = evidence else {
        return f.write_str(
            "<span class=\"none\">not measured</span></td>\
             <td role=\"cell\" class=\"among none\"></td>",
        );
    };
    let value = significant(*value);
    write!(f, "<b>{value}</b> <span class=\"measure\">{}</span></td>", Escaped(measure))?;
    let (at, standing) = (length(percentile / 100.0), standing(*percentile));
    f.write_str("<td role=\"cell\" class=\"among\"><span class=\"rank\" aria-hidden=\"true\">")?;
    write!(f, "<i style=\"left:{at:.2}%;translate:-{at:.2}%\"></i></span>")?;
    write!(f, "<span>{}</span></td>", Escaped(&standing))
}
