//! Accuracy over time, as a drawing of a page.

use std::fmt::Write;

use cifake_eval::plot::Scale;
use explain::html_text;

use super::order::shown_name;
use super::row::Row;

/// Width and height of the drawing.
const SIZE: [f64; 2] = [760.0, 420.0];
/// Room for the labels of the axes: left, right, top, bottom.
const ROOM: [f64; 4] = [56.0, 24.0, 16.0, 48.0];
/// Height of a line of text, and width of a character.
const LINE: f64 = 15.0;
const CHARACTER: f64 = 7.0;

/// A point and its label.
struct Point {
    at: [f64; 2],
    /// Ends of the interval of its accuracy.
    ends: [f64; 2],
    name: String,
}

/// The axes.
struct Frame {
    times: Scale,
    accuracies: Scale,
}

/// A drawing of the accuracies of `rows` over the time for a picture; `None` without a time.
pub(super) fn figure(rows: &[&Row]) -> Option<String> {
    let frame = Frame::of(rows)?;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"Accuracy over time for a picture\">\n",
        SIZE[0], SIZE[1]
    );
    frame.write_axes(&mut svg);
    let points = rows.iter().map(|row| {
        let accuracy = &row.measures.accuracy;
        let [value, low, high] =
            [accuracy.value, accuracy.low, accuracy.high].map(|share| frame.y(100.0 * share));
        let at = [frame.x(row.cost.one.median_ms), value];
        Point { at, ends: [low, high], name: shown_name(row, rows) }
    });
    write_points(&mut svg, points.collect());
    svg.push_str("</svg>\n");
    Some(svg)
}

impl Frame {
    /// Axes that hold all `rows`.
    fn of(rows: &[&Row]) -> Option<Self> {
        let times = Scale::logarithmic(rows.iter().map(|row| row.cost.one.median_ms))?;
        let ends = |row: &&Row| [row.measures.accuracy.low, row.measures.accuracy.high];
        let accuracies = Scale::linear(rows.iter().flat_map(ends).map(|share| 100.0 * share))?;
        Some(Self { times, accuracies })
    }

    fn x(&self, ms: f64) -> f64 {
        let [left, right, ..] = ROOM;
        left + self.times.place(ms) * (SIZE[0] - left - right)
    }

    fn y(&self, percent: f64) -> f64 {
        let [_, _, top, bottom] = ROOM;
        SIZE[1] - bottom - self.accuracies.place(percent) * (SIZE[1] - top - bottom)
    }

    fn write_axes(&self, svg: &mut String) {
        let [left, right, top, bottom] = ROOM;
        let (right, bottom) = (SIZE[0] - right, SIZE[1] - bottom);
        // Writing to a text cannot fail.
        for tick in self.accuracies.ticks() {
            let (at, shown) = (self.y(tick), trimmed(tick));
            let (x, y) = (left - 8.0, at + 4.0);
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{left} {at:.1}H{right}\"/>\
                 <text class=\"end\" x=\"{x}\" y=\"{y:.1}\">{shown}</text>"
            );
        }
        for tick in self.times.ticks() {
            let (at, shown, y) = (self.x(tick), trimmed(tick), bottom + 18.0);
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{at:.1} {top}V{bottom}\"/>\
                 <text class=\"middle\" x=\"{at:.1}\" y=\"{y}\">{shown}</text>"
            );
        }
        let [x, y] = [f64::midpoint(left, right), f64::midpoint(top, bottom)];
        let _ = writeln!(
            svg,
            "<text class=\"middle\" x=\"{x}\" y=\"{}\">ms a picture on one thread, one at a time</text>\
             <text class=\"middle\" transform=\"translate(14 {y}) rotate(-90)\">accuracy, %</text>",
            SIZE[1] - 8.0
        );
    }
}

/// Draws the points, each with its name where no other name stands.
fn write_points(svg: &mut String, points: Vec<Point>) {
    let mut taken: Vec<[f64; 3]> = Vec::new();
    for Point { at: [x, y], ends: [low, high], name } in points {
        let width = CHARACTER * name.chars().count() as f64;
        let is_right = x + 8.0 + width < SIZE[0];
        let (class, edge, start) = match is_right {
            true => ("start", x + 8.0, x + 8.0),
            false => ("end", x - 8.0, x - 8.0 - width),
        };
        let mut line = y + 4.0;
        let meets = |line: f64, [from, to, of]: &[f64; 3]| {
            start < *to && *from < start + width && (line - of).abs() < LINE
        };
        while let Some(other) = taken.iter().find(|other| meets(line, other)) {
            // Rounding may leave the sum a hair too near; each turn moves on.
            line = (other[2] + LINE).max(line.next_up());
        }
        taken.push([start, start + width, line]);
        let _ = writeln!(
            svg,
            "<path class=\"interval\" d=\"M{x:.1} {low:.1}V{high:.1}\"/><circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>\
             <text class=\"{class}\" x=\"{edge:.1}\" y=\"{line:.1}\">{}</text>",
            html_text(&name)
        );
    }
}

/// A tick without trailing digits of its binary form.
fn trimmed(tick: f64) -> String {
    let text = format!("{tick:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaderboard::row::tests::{hostile, row};

    #[test]
    fn every_row_is_a_point_with_a_name_of_its_own_place() {
        let rows = [row("a", 0.9), row("b", 0.9), row("c", 0.95)];
        let svg = figure(&rows.iter().collect::<Vec<_>>()).expect("they have times");
        assert_eq!(svg.matches("<circle").count(), 3);
        let line = |name: &str| {
            let found = svg.lines().find(|line| line.ends_with(&format!(">{name}</text>")));
            let text = found.and_then(|line| line.rsplit_once(" y=\"")).expect("a label").1;
            text.split('"').next().and_then(|y| y.parse::<f64>().ok()).expect("a number")
        };
        assert!((line("a") - line("b")).abs() >= LINE - 0.11, "{svg}");
        assert!(line("c") < line("a"));
    }

    #[test]
    fn names_are_escaped_and_nothing_is_no_figure() {
        let row = hostile();
        let svg = figure(&[&row]).expect("it has a time");
        assert!(!svg.contains("<script") && svg.contains("&lt;script"), "{svg}");
        assert_eq!(figure(&[]), None);
        assert_eq!(
            (trimmed(0.05), trimmed(20.0), trimmed(97.5)),
            ("0.05".into(), "20".into(), "97.5".into())
        );
    }
}
