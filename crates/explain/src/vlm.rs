//! Explainers that are vision-language models on this machine.

use std::ops::ControlFlow;
use std::sync::Arc;

use cifake::Label;
use vlm_lora::generate::{Generation, ListConstraint, Vocabulary};
use vlm_lora::{Assistant, Message};

use crate::set::PLACEHOLDERS;
use crate::{
    Error, Explainer, Explanation, MAX_FINDINGS, MAX_WORDS, Rules, Subject, parse, prompt,
};

/// Most tokens of an answer. Seven lines of a name and 50 words need fewer.
const MAX_TOKENS: usize = 1024;

/// Asks a model of [`vlm_lora`] for artifacts. It sees the picture and the picture under its map, and
/// its answer is constrained to a list of listed names with a remark each.
///
/// A valid answer need not be true: an untrained model fills the form with likely words. Measure its
/// answers against the [controls](crate::quality).
///
/// The question has the form of an [`ExplanationSet`](crate::ExplanationSet), so that a model that was
/// fine-tuned on a set is asked the question of its training.
///
/// [`Assistant::with_enlargement`] sets how a small picture is enlarged; its map is
/// [shown](Subject::shown) large in any case. [`Combined`](crate::Combined) merges several models,
/// and the measurements, into one list.
pub struct VlmExplainer {
    name: String,
    assistant: Assistant,
    question: Option<String>,
    vocabulary: Arc<Vocabulary>,
    generation: Generation,
    least: usize,
}

impl VlmExplainer {
    /// Asks `assistant`, whose findings are reported under `name`. It decodes greedily by the rules of
    /// its [defaults](Assistant::defaults) and names at least one artifact.
    #[must_use]
    pub fn new(name: impl Into<String>, assistant: Assistant) -> Self {
        let n_tokens = assistant.decoder().config().vocab_size;
        let vocabulary = Arc::new(assistant.tokenizer().vocabulary(n_tokens));
        let generation = assistant.defaults().greedy(MAX_TOKENS);
        let question = None;
        Self { name: name.into(), assistant, question, vocabulary, generation, least: 1 }
    }

    /// Asks `question` instead of the [`prompt`]: for a model that was trained on a set with this
    /// question.
    #[must_use]
    pub fn with_question(self, question: impl Into<String>) -> Self {
        Self { question: Some(question.into()), ..self }
    }

    /// Generates by other rules.
    #[must_use]
    pub fn with_generation(self, generation: Generation) -> Self {
        Self { generation, ..self }
    }

    /// The constraint of the model's answer under `rules`.
    fn list(&self, rules: &Rules) -> Result<ListConstraint, vlm_lora::Error> {
        let names: Vec<&str> = rules.allowed.iter().map(|artifact| artifact.name()).collect();
        let ends = self.assistant.stop();
        ListConstraint::new(&names, self.vocabulary.clone(), ends, MAX_FINDINGS, MAX_WORDS)
    }

    /// The model's answer about the pictures of `subject`.
    fn answer(&self, subject: &Subject<'_>, rules: &Rules) -> Result<String, vlm_lora::Error> {
        let question = self.question.clone().unwrap_or_else(|| prompt(rules));
        let message = Message::interleaved("user", &format!("{PLACEHOLDERS}{question}"));
        let prompt = self.assistant.converse(&[message], &subject.shown())?;
        let list = self.list(rules)?;
        let decoder = self.assistant.decoder();
        let mut go_on = |_: usize, _: u32| ControlFlow::Continue(());
        let answers = self.generation.run(decoder, &[prompt], Some(&list), &mut go_on)?;
        self.assistant.tokenizer().decode(&answers[0].tokens)
    }
}

impl Explainer for VlmExplainer {
    fn name(&self) -> &str {
        &self.name
    }

    fn explain(&self, subject: &Subject<'_>) -> Result<Explanation, Error> {
        if subject.label == Label::Real {
            return Ok(Explanation::default());
        }
        let rules = Rules::for_class(subject.class).with_least(self.least);
        let failed = |source: vlm_lora::Error| Error::Vlm {
            explainer: self.name.clone(),
            source: Box::new(source),
        };
        let answer = self.answer(subject, &rules).map_err(failed)?;
        let mut explanation = parse(&answer, &rules).map_err(|source| Error::Refused {
            explainer: self.name.clone(),
            answer,
            source,
        })?;
        for finding in &mut explanation.findings {
            finding.said_by = vec![self.name.clone()];
        }
        Ok(explanation)
    }
}
