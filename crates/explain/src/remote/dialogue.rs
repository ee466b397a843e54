//! A question to a service and its answer, with one more try.

use std::sync::atomic::{AtomicU64, Ordering};

use cifake::Label;
use gradcam::{Colormap, overlay};
use serde_json::Value;

use super::transport::Client;
use super::{RemoteConfig, RemoteError, Usage};
use crate::Refusal;
use crate::explanation::OPACITY;
use crate::plain::shortened;
use crate::png::png_base64;
use crate::{Error, Explanation, MAX_FINDINGS, Rules, Subject, parse, prompt, prompt_again};

/// Most characters of a refused answer that are kept: seven findings of 50 words have fewer.
const MAX_KEPT_CHARS: usize = 4000;

/// The protocol of a service.
pub(super) trait Service {
    /// The request: both pictures as PNG in base64, then the text.
    fn request(&self, prompt: &str, pictures: &[String; 2]) -> Value;

    /// The text and the cost of a response.
    fn answer(&self, response: &Value) -> Result<Answer, RemoteError>;
}

/// The answer of a model.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) text: String,
    /// Whether it was cut at the longest length.
    pub(super) is_cut: bool,
    pub(super) n_prompt_tokens: u64,
    pub(super) n_answer_tokens: u64,
}

/// Asks one model for explanations.
#[derive(Debug)]
pub(super) struct Dialogue<S> {
    name: String,
    service: S,
    client: Client,
    config: RemoteConfig,
    n_prompt_tokens: AtomicU64,
    n_answer_tokens: AtomicU64,
}

impl<S: Service> Dialogue<S> {
    pub(super) fn new(name: String, service: S, client: Client, config: RemoteConfig) -> Self {
        let [n_prompt_tokens, n_answer_tokens] = [0, 0].map(AtomicU64::new);
        Self { name, service, client, config, n_prompt_tokens, n_answer_tokens }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn usage(&self) -> Usage {
        Usage {
            n_requests: self.client.n_requests(),
            n_prompt_tokens: self.n_prompt_tokens.load(Ordering::Relaxed),
            n_answer_tokens: self.n_answer_tokens.load(Ordering::Relaxed),
        }
    }

    pub(super) fn explain(&self, subject: &Subject<'_>) -> Result<Explanation, Error> {
        if subject.label == Label::Real {
            return Ok(Explanation::default());
        }
        let least = self.config.least.clamp(1, MAX_FINDINGS);
        let rules = Rules::for_class(subject.class).with_least(least);
        let pictures = pictures(subject, self.config.bounded_side());
        let answer = self.ask(&prompt(&rules), &pictures)?;
        match self.read(&answer, &rules) {
            Ok(explanation) => Ok(self.signed(explanation, &answer)),
            Err(refusal) => {
                let answer = self.ask(&prompt_again(&rules, &refusal), &pictures)?;
                let explanation = self.read(&answer, &rules).map_err(|source| Error::Refused {
                    explainer: self.name.clone(),
                    answer: shortened(&answer.text, MAX_KEPT_CHARS),
                    source,
                })?;
                let mut explanation = self.signed(explanation, &answer);
                explanation.remarks.push(format!("a first answer was refused: {refusal}"));
                Ok(explanation)
            }
        }
    }

    /// The explanation in `answer` under `rules`. The key is redacted once more: parsing can join parts
    /// of it that markup or escapes had separated.
    fn read(&self, answer: &Answer, rules: &Rules) -> Result<Explanation, Refusal> {
        let hide = |texts: &mut Vec<String>| {
            texts.iter_mut().for_each(|text| *text = self.client.redacted(text));
        };
        match parse(&answer.text, rules) {
            Ok(mut explanation) => {
                hide(&mut explanation.remarks);
                for finding in &mut explanation.findings {
                    finding.explanation = self.client.redacted(&finding.explanation);
                }
                Ok(explanation)
            }
            Err(Refusal::TooFew { found, least, mut unlisted }) => {
                hide(&mut unlisted);
                Err(Refusal::TooFew { found, least, unlisted })
            }
            Err(refusal) => Err(refusal),
        }
    }

    fn ask(&self, prompt: &str, pictures: &[String; 2]) -> Result<Answer, RemoteError> {
        let response = self.client.post(&self.service.request(prompt, pictures))?;
        let answer = self.service.answer(&response).map_err(|error| match error {
            RemoteError::NoText { reason } => {
                RemoteError::NoText { reason: shortened(&self.client.shown(&reason), 200) }
            }
            error => error,
        })?;
        self.n_prompt_tokens.fetch_add(answer.n_prompt_tokens, Ordering::Relaxed);
        self.n_answer_tokens.fetch_add(answer.n_answer_tokens, Ordering::Relaxed);
        Ok(Answer { text: self.client.shown(&answer.text), ..answer })
    }

    fn signed(&self, mut explanation: Explanation, answer: &Answer) -> Explanation {
        for finding in &mut explanation.findings {
            finding.said_by = vec![self.name.clone()];
        }
        if answer.is_cut {
            explanation.remarks.push("the answer reached the longest length allowed".to_owned());
        }
        explanation
    }
}

/// The error of an answer without text.
pub(super) fn no_text(reason: Option<&str>) -> RemoteError {
    let reason = reason.unwrap_or("the response has no text where it should stand");
    RemoteError::NoText { reason: reason.to_owned() }
}

/// The picture, and the picture under its map, of one size, as PNG in base64.
fn pictures(subject: &Subject<'_>, side: u32) -> [String; 2] {
    // Without opacity an overlay is the picture itself, each pixel a square of the same size.
    [0.0, OPACITY].map(|opacity| {
        let shown = overlay(subject.picture, subject.map, Colormap::Viridis, opacity, side);
        png_base64(shown.as_raw(), shown.width(), shown.height())
    })
}
