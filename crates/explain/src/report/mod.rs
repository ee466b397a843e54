//! Reports: the explanation of one picture as text, Markdown, JSON or an HTML page.
//!
//! Paths, names of models and answers of language models are untrusted. Every form but JSON removes
//! characters that steer a terminal or cannot be seen, and escapes its own markup.

mod content;
mod contest;
mod failure;
mod html;
mod json;
mod limit;
mod markdown;
mod number;
mod provenance;
mod shown;
mod terminal;
#[cfg(test)]
mod tests;

pub use content::Report;
pub use contest::{contest_explanations, contest_predictions};
pub use failure::Failure;
pub use html::{html_page, html_text};
pub use markdown::markdown_text;
pub use provenance::Provenance;
pub use shown::ShownReport;
