//! Google's Gemini API: `models.generateContent` of version `v1beta`.

use serde_json::{Value, json};

use super::dialogue::{Answer, Dialogue, Service, no_text};
use super::transport::Client;
use super::{ApiKey, RemoteConfig, RemoteError, Sampling, Usage};
use crate::{Error, Explainer, Explanation, Subject};

/// An explainer that asks one of Google's models.
#[derive(Debug)]
pub struct GeminiExplainer(Dialogue<Gemini>);

impl GeminiExplainer {
    /// Makes the explainer, without a request yet. See [`RemoteConfig::gemini`].
    ///
    /// # Errors
    ///
    /// [`RemoteError::Address`] or [`RemoteError::Model`].
    pub fn new(config: RemoteConfig, key: ApiKey) -> Result<Self, RemoteError> {
        let model = config.model.clone();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        if model.is_empty() || !model.chars().all(is_plain) {
            return Err(RemoteError::Model { model });
        }
        let url = format!("{}/v1beta/models/{model}:generateContent", config.address(true)?);
        let client = Client::new(url, Some(key), ("x-goog-api-key", ""), config.limits);
        let service = Gemini { sampling: config.sampling };
        Ok(Self(Dialogue::new(format!("gemini:{model}"), service, client, config)))
    }

    /// The cost so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.0.usage()
    }
}

impl Explainer for GeminiExplainer {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn explain(&self, subject: &Subject<'_>) -> Result<Explanation, Error> {
        self.0.explain(subject)
    }
}

#[derive(Debug)]
struct Gemini {
    sampling: Sampling,
}

impl Service for Gemini {
    fn request(&self, prompt: &str, pictures: &[String; 2]) -> Value {
        let picture =
            |data: &String| json!({"inlineData": {"mimeType": "image/png", "data": data}});
        let [first, second] = pictures.each_ref().map(picture);
        let Sampling { temperature, top_p, top_k, max_tokens } = self.sampling;
        let mut generation = json!({"temperature": temperature, "topP": top_p, "topK": top_k});
        if let Some(n) = max_tokens {
            generation["maxOutputTokens"] = json!(n);
        }
        json!({
            "contents": [{"role": "user", "parts": [first, second, {"text": prompt}]}],
            "generationConfig": generation,
        })
    }

    fn answer(&self, response: &Value) -> Result<Answer, RemoteError> {
        let text_at = |pointer: &str| response.pointer(pointer).and_then(Value::as_str);
        let count = |name: &str| response["usageMetadata"][name].as_u64().unwrap_or(0);
        let parts = response.pointer("/candidates/0/content/parts").and_then(Value::as_array);
        let spoken = parts.into_iter().flatten().filter(|part| part["thought"] != true);
        let text: String = spoken.filter_map(|part| part["text"].as_str()).collect();
        let finish = text_at("/candidates/0/finishReason");
        if text.is_empty() {
            return Err(no_text(text_at("/promptFeedback/blockReason").or(finish)));
        }
        Ok(Answer {
            text,
            is_cut: finish == Some("MAX_TOKENS"),
            n_prompt_tokens: count("promptTokenCount"),
            n_answer_tokens: count("candidatesTokenCount")
                .saturating_add(count("thoughtsTokenCount")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GEMINI: Gemini = Gemini {
        sampling: Sampling { temperature: 1.0, top_p: 0.95, top_k: 40, max_tokens: Some(9) },
    };

    #[test]
    fn the_request_holds_both_pictures_before_the_text() {
        let request = GEMINI.request("Why?", &["AA==".to_owned(), "BB==".to_owned()]);
        let parts = &request["contents"][0]["parts"];
        assert_eq!(parts[0]["inlineData"], json!({"mimeType": "image/png", "data": "AA=="}));
        assert_eq!(
            (&parts[1]["inlineData"]["data"], &parts[2]["text"]),
            (&json!("BB=="), &json!("Why?"))
        );
        let expected = json!({"temperature": 1.0, "topP": 0.95, "topK": 40, "maxOutputTokens": 9});
        assert_eq!(request["generationConfig"], expected);
    }

    #[test]
    fn thoughts_are_counted_and_not_read() {
        let answer = GEMINI.answer(&json!({
            "candidates": [{"finishReason": "MAX_TOKENS", "content": {"parts": [
                {"thought": true, "text": "hm"}, {"text": "a"}, {"inlineData": {}}, {"text": "b"},
            ]}}],
            "usageMetadata":
                {"promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 3},
        }));
        let expected =
            Answer { text: "ab".to_owned(), is_cut: true, n_prompt_tokens: 5, n_answer_tokens: 5 };
        assert_eq!(answer.expect("a text"), expected);
    }

    #[test]
    fn a_blocked_prompt_is_told_from_an_answer() {
        for (response, reason) in [
            (json!({"promptFeedback": {"blockReason": "SAFETY"}}), "SAFETY"),
            (json!({"candidates": [{"finishReason": "RECITATION"}]}), "RECITATION"),
            (json!([1, {"candidates": 3}]), "no text"),
        ] {
            let error = GEMINI.answer(&response).expect_err("no text").to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_name_that_would_change_the_address_is_refused() {
        let key = ApiKey::new("k").expect("a key");
        for model in ["", "../x", "a/b", "a?b", "a:b", "a b"] {
            let config = RemoteConfig { model: model.to_owned(), ..RemoteConfig::gemini() };
            let refused = GeminiExplainer::new(config, key.clone());
            assert!(matches!(refused, Err(RemoteError::Model { .. })), "{model}");
        }
    }
}
