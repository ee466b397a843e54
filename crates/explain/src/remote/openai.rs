//! OpenAI's chat completions, an interface that many servers of open models offer.

use serde_json::{Value, json};

use super::dialogue::{Answer, Dialogue, Service, no_text};
use super::transport::Client;
use super::{ApiKey, RemoteConfig, RemoteError, Sampling, Usage};
use crate::{Error, Explainer, Explanation, Subject};

/// An explainer that asks any model behind `chat/completions` that accepts pictures.
#[derive(Debug)]
pub struct OpenAiExplainer(Dialogue<OpenAi>);

impl OpenAiExplainer {
    /// Makes the explainer, without a request yet. A server on this machine may need no key. See
    /// [`RemoteConfig::open_ai`].
    ///
    /// # Errors
    ///
    /// [`RemoteError::Address`].
    pub fn new(config: RemoteConfig, key: Option<ApiKey>) -> Result<Self, RemoteError> {
        let url = format!("{}/chat/completions", config.address(key.is_some())?);
        let client = Client::new(url, key, ("authorization", "Bearer "), config.limits);
        let service = OpenAi { model: config.model.clone(), sampling: config.sampling };
        Ok(Self(Dialogue::new(format!("openai:{}", config.model), service, client, config)))
    }

    /// The cost so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.0.usage()
    }
}

impl Explainer for OpenAiExplainer {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn explain(&self, subject: &Subject<'_>) -> Result<Explanation, Error> {
        self.0.explain(subject)
    }
}

#[derive(Debug)]
struct OpenAi {
    model: String,
    sampling: Sampling,
}

impl Service for OpenAi {
    fn request(&self, prompt: &str, pictures: &[String; 2]) -> Value {
        let picture = |data: &String| {
            let url = format!("data:image/png;base64,{data}");
            json!({"type": "image_url", "image_url": {"url": url}})
        };
        let [first, second] = pictures.each_ref().map(picture);
        let text = json!({"type": "text", "text": prompt});
        let mut request = json!({
            "model": self.model,
            "messages": [{"role": "user", "content": [first, second, text]}],
            "temperature": self.sampling.temperature,
            "top_p": self.sampling.top_p,
        });
        if let Some(n) = self.sampling.max_tokens {
            request["max_tokens"] = json!(n);
        }
        request
    }

    fn answer(&self, response: &Value) -> Result<Answer, RemoteError> {
        let text_at = |pointer: &str| response.pointer(pointer).and_then(Value::as_str);
        let count = |name: &str| response["usage"][name].as_u64().unwrap_or(0);
        let finish = text_at("/choices/0/finish_reason");
        let text = text_at("/choices/0/message/content").filter(|text| !text.is_empty());
        let Some(text) = text else {
            return Err(no_text(text_at("/choices/0/message/refusal").or(finish)));
        };
        Ok(Answer {
            text: text.to_owned(),
            is_cut: finish == Some("length"),
            n_prompt_tokens: count("prompt_tokens"),
            n_answer_tokens: count("completion_tokens"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> OpenAi {
        OpenAi { model: "Qwen/Qwen2-VL-7B-Instruct".to_owned(), sampling: Sampling::default() }
    }

    #[test]
    fn pictures_are_data_urls_and_unknown_settings_stay_home() {
        let request = service().request("Why?", &["AA==".to_owned(), "BB==".to_owned()]);
        let content = &request["messages"][0]["content"];
        assert_eq!(content[1]["image_url"]["url"], "data:image/png;base64,BB==");
        assert_eq!(content[2], json!({"type": "text", "text": "Why?"}));
        assert_eq!(request["model"], "Qwen/Qwen2-VL-7B-Instruct");
        assert!(request.get("top_k").is_none() && request.get("max_tokens").is_none());
    }

    #[test]
    fn a_refusal_is_told_from_an_answer() {
        let message = json!({"content": null, "refusal": "I cannot help."});
        let refused = service().answer(&json!({"choices": [{"message": message}]}));
        assert!(refused.expect_err("no text").to_string().contains("I cannot help."));
        let answer = service().answer(&json!({
            "choices": [{"message": {"content": "a"}, "finish_reason": "length"}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 1},
        }));
        let expected =
            Answer { text: "a".to_owned(), is_cut: true, n_prompt_tokens: 7, n_answer_tokens: 1 };
        assert_eq!(answer.expect("a text"), expected);
    }
}
