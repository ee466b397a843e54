//! Reports as one self-contained HTML page, without scripts, style sheets or pictures from outside.

mod article;
mod artifact;
mod data_url;
mod escape;
mod figure;
mod style;

use std::fmt;

use cifake::Answer;
use cifake::text::counted;

use self::article::Article;
use self::escape::Escaped;
pub use self::escape::html_text;
use self::figure::thumbnail;
use self::style::tone;
use super::content::Report;
use super::failure::Failure;
use super::number::percent;

/// Content policy of the page: even text that became markup could load and run nothing.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
                      base-uri 'none'; form-action 'none'";

impl Report {
    /// The report as an HTML page of its own.
    #[must_use]
    pub fn html(&self) -> String {
        Page(vec![Entry::Report(self)]).to_string()
    }
}

/// One HTML page of all `outcomes`, in their order. A page of several begins with an index; a picture
/// that could not be explained has an entry with its error.
///
/// ```
/// let failure = explain::Failure { path: "a.png".to_owned(), error: "no such file".to_owned() };
/// assert!(explain::html_page(&[Err(failure)]).contains("no such file"));
/// ```
#[must_use]
pub fn html_page(outcomes: &[Result<Report, Failure>]) -> String {
    Page(outcomes.iter().map(Entry::from).collect()).to_string()
}

enum Entry<'a> {
    Report(&'a Report),
    Failure(&'a Failure),
}

impl<'a> From<&'a Result<Report, Failure>> for Entry<'a> {
    fn from(outcome: &'a Result<Report, Failure>) -> Self {
        match outcome {
            Ok(report) => Self::Report(report),
            Err(failure) => Self::Failure(failure),
        }
    }
}

struct Page<'a>(Vec<Entry<'a>>);

impl Page<'_> {
    fn title(&self) -> String {
        match self.0[..] {
            [Entry::Report(one)] => format!("{}: {}", one.answer, one.provenance.path),
            [Entry::Failure(one)] => format!("Not explained: {}", one.path),
            _ => self.counts(),
        }
    }

    fn counts(&self) -> String {
        let count = |answer| {
            let has = |entry: &&Entry<'_>| matches!(entry, Entry::Report(r) if r.answer == answer);
            self.0.iter().filter(has).count()
        };
        let [n_real, n_fake, n_unsure] = Answer::ALL.map(count);
        let n = counted(self.0.len(), "picture");
        let mut title = format!("{n}: {n_fake} FAKE, {n_real} REAL");
        let n_failed = self.0.len() - n_real - n_fake - n_unsure;
        for (n, name) in [(n_unsure, "UNSURE"), (n_failed, "not explained")] {
            if n > 0 {
                title += &format!(", {n} {name}");
            }
        }
        title
    }

    fn write_index(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<header class=\"index\" id=\"index\"><h1>{}</h1>", Escaped(&self.title()))?;
        f.write_str("<nav aria-label=\"Pictures\"><ol>\n")?;
        for (entry, number) in self.0.iter().zip(1..) {
            match entry {
                Entry::Report(report) => write_line(f, report, number)?,
                Entry::Failure(failure) => {
                    write!(f, "<li class=\"failed\"><a href=\"#picture-{number}\"><span></span>")?;
                    write!(f, "<span class=\"name\">{}</span>", Escaped(&failure.path))?;
                    writeln!(f, "<span class=\"label\">not explained</span></a></li>")?;
                }
            }
        }
        f.write_str("</ol></nav></header>\n")
    }
}

/// The line of `report` in the index.
fn write_line(f: &mut fmt::Formatter<'_>, report: &Report, number: usize) -> fmt::Result {
    let class = tone(report.answer);
    write!(f, "<li class=\"{class}\"><a href=\"#picture-{number}\">")?;
    thumbnail(f, report)?;
    write!(f, "<span class=\"name\">{}</span>", Escaped(&report.provenance.path))?;
    write!(f, "<span class=\"label\">{}</span>", report.answer)?;
    let percent = percent(report.p_fake.into());
    writeln!(f, "<span class=\"percent\">{percent}</span></a></li>")
}

/// The article of a picture that could not be explained.
fn write_failure(
    f: &mut fmt::Formatter<'_>,
    failure: &Failure,
    number: usize,
    is_alone: bool,
) -> fmt::Result {
    let (level, back) = match is_alone {
        true => (1, ""),
        false => (2, "<a href=\"#index\">All pictures</a>"),
    };
    writeln!(
        f,
        "<article class=\"report failed\" id=\"picture-{number}\"><header class=\"verdict\">\
         <p class=\"path\"><span>{}</span>{back}</p>\n\
         <h{level}>not explained</h{level}><p class=\"lead\">{}</p></header></article>",
        Escaped(&failure.path),
        Escaped(&failure.error)
    )
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
        for (entry, number) in self.0.iter().zip(1..) {
            match *entry {
                Entry::Report(report) => {
                    writeln!(f, "{}", Article { report, number, is_alone: is_one })?;
                }
                Entry::Failure(failure) => write_failure(f, failure, number, is_one)?,
            }
        }
        writeln!(f, "</main>\n</body>\n</html>")
    }
}
