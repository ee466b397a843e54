//! The article of one report.

use std::fmt;

use super::artifact::artifacts;
use super::escape::Escaped;
use super::figure::figures;
use super::style::{length, tone};
use crate::report::content::Report;

/// A report, alone on its page or under a number.
pub(super) struct Article<'a> {
    pub(super) report: &'a Report,
    pub(super) number: usize,
    pub(super) is_alone: bool,
}

impl Article<'_> {
    /// Level of the verdict's heading; the sections' are one below.
    fn level(&self) -> usize {
        if self.is_alone { 1 } else { 2 }
    }

    fn write_verdict(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (report, level) = (self.report, self.level());
        let sentence = report.sentence();
        let (answer, sentence) = (report.answer, Escaped(&sentence));
        let doubt = report.doubt().map_or_else(String::new, |doubt| {
            format!("<p class=\"lead\">{}.</p>\n", Escaped(&doubt))
        });
        let [at, from] = [report.p_fake, report.provenance.threshold].map(|p| length(p.into()));
        let threshold = report.threshold();
        let back = if self.is_alone { "" } else { "<a href=\"#index\">All pictures</a>" };
        write!(
            f,
            "<header class=\"verdict\"><p class=\"path\"><span>{}</span>{back}</p>\n\
             <h{level}>{answer}</h{level}>{doubt}<p class=\"lead\">{sentence}.</p>\n\
             <p class=\"threshold\" aria-hidden=\"true\">\
             <span style=\"left:{from:.2}%;translate:-{from:.2}%\">FAKE from {threshold}</span></p>\
             <div class=\"scale\" role=\"img\" aria-label=\"{sentence}; FAKE from {threshold}\">\
             <span class=\"fill\" style=\"width:{at:.2}%\"></span>\
             <span class=\"from\" style=\"left:{from:.2}%\"></span></div>\n\
             <p class=\"ends\" aria-hidden=\"true\"><span>0 %</span>\
             <span>100 %</span></p></header>\n",
            Escaped(&report.provenance.path)
        )
    }

    fn write_sentences(
        &self,
        f: &mut fmt::Formatter<'_>,
        title: &str,
        sentences: &[String],
    ) -> fmt::Result {
        if sentences.is_empty() {
            return Ok(());
        }
        let level = self.level() + 1;
        write!(f, "<section class=\"notes\"><h{level}>{title}</h{level}><ul>")?;
        for sentence in sentences {
            write!(f, "<li>{}</li>", Escaped(sentence))?;
        }
        f.write_str("</ul></section>\n")
    }

    fn write_facts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (report, provenance) = (self.report, &self.report.provenance);
        let size =
            format!("{}\u{d7}{}, {}", provenance.width, provenance.height, report.input().as_str());
        let familiarity = report
            .familiarity
            .map_or_else(|| "unknown".to_owned(), |share| format!("{share:.1} %"));
        let facts = [
            ("Model", provenance.model.as_str()),
            ("FAKE from", &report.threshold()),
            ("Picture", &size),
            ("Rests on", report.scope.as_str()),
            ("Familiarity", &familiarity),
            ("Map", report.method()),
            ("Report", &report.maker()),
        ];
        f.write_str("<footer><dl>")?;
        for (name, fact) in facts {
            write!(f, "<div><dt>{name}</dt><dd>{}</dd></div>", Escaped(fact))?;
        }
        f.write_str("</dl></footer>")
    }
}

impl fmt::Display for Article<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (report, number) = (self.report, self.number);
        let tone = tone(report.answer);
        writeln!(f, "<article class=\"report {tone}\" id=\"picture-{number}\">")?;
        self.write_verdict(f)?;
        figures(f, report)?;
        let level = self.level() + 1;
        write!(f, "<section class=\"artifacts\"><h{level}>Artifacts</h{level}>")?;
        artifacts(f, &report.explanation.findings)?;
        f.write_str("</section>\n<div class=\"pair\">")?;
        for (title, sentences) in report.lists() {
            self.write_sentences(f, title, sentences)?;
        }
        f.write_str("</div>\n")?;
        self.write_facts(f)?;
        f.write_str("</article>")
    }
}
