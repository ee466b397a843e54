//! Reports as one HTML page that needs nothing else: no script, no style sheet or picture from
//! outside.

mod article;
mod artifact;
mod data_url;
mod escape;
mod figure;

use std::fmt;

use cifake::Answer;

use self::article::Article;
use self::escape::Escaped;
use self::figure::thumbnail;
use super::Report;
use super::number::percent;

/// Forbids what the page does not have, should a text ever get through as markup.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
                      base-uri 'none'; form-action 'none'";

impl Report {
    /// The report as an HTML page of its own.
    #[must_use]
    pub fn html(&self) -> String {
        html_page(std::slice::from_ref(self))
    }
}

/// `reports` as one HTML page; of several, an index leads to each.
#[must_use]
pub fn html_page(reports: &[Report]) -> String {
    Page(reports).to_string()
}

struct Page<'a>(&'a [Report]);

impl Page<'_> {
    fn title(&self) -> String {
        match self.0 {
            [one] => format!("{}: {}", one.answer, one.provenance.path),
            many => {
                let count = |answer| many.iter().filter(|report| report.answer == answer).count();
                let [n_real, n_fake, n_unsure] = Answer::ALL.map(count);
                let unsure = match n_unsure {
                    0 => String::new(),
                    n => format!(", {n} UNSURE"),
                };
                format!("{} pictures: {n_fake} FAKE, {n_real} REAL{unsure}", many.len())
            }
        }
    }

    fn write_index(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<header class=\"index\" id=\"index\"><h1>{}</h1>", Escaped(&self.title()))?;
        f.write_str("<nav aria-label=\"Pictures\"><ol>\n")?;
        for (report, number) in self.0.iter().zip(1..) {
            let class = tone(report.answer);
            write!(f, "<li class=\"{class}\"><a href=\"#picture-{number}\">")?;
            thumbnail(f, report)?;
            write!(f, "<span class=\"name\">{}</span>", Escaped(&report.provenance.path))?;
            write!(f, "<span class=\"label\">{}</span>", report.answer)?;
            let percent = percent(report.p_fake.into());
            writeln!(f, "<span class=\"percent\">{percent}</span></a></li>")?;
        }
        f.write_str("</ol></nav></header>\n")
    }
}

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>",
            Escaped(&self.title()),
            include_str!("style.css")
        )?;
        let is_one = self.0.len() == 1;
        if !is_one {
            self.write_index(f)?;
        }
        for (report, number) in self.0.iter().zip(1..) {
            let article = Article { report, number, is_alone: is_one };
            writeln!(f, "{article}")?;
        }
        writeln!(f, "</main>\n</body>\n</html>")
    }
}

/// Class of what wears the colour of an answer.
fn tone(answer: Answer) -> &'static str {
    match answer {
        Answer::Real => "real",
        Answer::Fake => "fake",
        Answer::Unsure => "unsure",
    }
}

/// A share as a percentage of a length: 0 where it is no number.
fn length(share: f64) -> f64 {
    if share.is_finite() { 100.0 * share.clamp(0.0, 1.0) } else { 0.0 }
}
