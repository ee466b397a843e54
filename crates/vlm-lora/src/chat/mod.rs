//! Chat templates: a conversation as the text that a model was trained on.

mod environment;

use std::path::Path;

use minijinja::context;
use serde::Serialize;
use serde_json::Value;

use crate::Error;
use environment::{environment, multiplies, refused};

/// What stands in a text where a picture belongs.
pub const IMAGE: &str = "<image>";
/// Bytes of a file with a template, and of a template.
const MAX_BYTES: u64 = 8 << 20;
/// Bytes of a rendered conversation.
const MAX_TEXT_BYTES: usize = 16 << 20;

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Part {
    /// A picture; which one, only its place says.
    Image,
    /// Text.
    Text {
        /// The text.
        text: String,
    },
}

/// What somebody said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What, in order.
    pub parts: Vec<Part>,
}

impl Message {
    /// A message of text.
    #[must_use]
    pub fn text(role: &str, text: &str) -> Self {
        Self { role: role.to_owned(), parts: vec![Part::Text { text: text.to_owned() }] }
    }

    /// A message of `n_images` pictures and text behind them.
    #[must_use]
    pub fn with_images(role: &str, n_images: usize, text: &str) -> Self {
        let mut message = Self::text(role, text);
        message.parts.splice(0..0, std::iter::repeat_n(Part::Image, n_images));
        message
    }

    /// A message of `text`, in which [`IMAGE`] stands where it shows a picture.
    ///
    /// ```
    /// use vlm_lora::{Message, Part};
    ///
    /// let message = Message::illustrated("user", "<image>What is this?");
    /// assert_eq!(message, Message::with_images("user", 1, "What is this?"));
    /// assert_eq!(message.spelled("[picture]"), Message::text("user", "[picture]What is this?"));
    /// ```
    #[must_use]
    pub fn illustrated(role: &str, text: &str) -> Self {
        if !text.contains(IMAGE) {
            return Self::text(role, text);
        }
        let mut parts = Vec::new();
        for (index, text) in text.split(IMAGE).enumerate() {
            if index > 0 {
                parts.push(Part::Image);
            }
            if !text.is_empty() {
                parts.push(Part::Text { text: text.to_owned() });
            }
        }
        Self { role: role.to_owned(), parts }
    }

    /// The same message as text alone, with `picture` where it shows one: for templates that know
    /// nothing of pictures.
    #[must_use]
    pub fn spelled(&self, picture: &str) -> Self {
        let part = |part: &Part| match part {
            Part::Image => picture.to_owned(),
            Part::Text { text } => text.clone(),
        };
        Self::text(&self.role, &self.parts.iter().map(part).collect::<String>())
    }

    /// As a template sees it: text alone is a string, anything else a list of parts.
    fn to_value(&self) -> Value {
        let content = match &*self.parts {
            [Part::Text { text }] => Value::from(text.as_str()),
            parts => serde_json::to_value(parts).unwrap_or_default(),
        };
        serde_json::json!({"role": self.role, "content": content})
    }
}

/// A Jinja template, as tokenizers of Hugging Face carry it.
///
/// A template is a program from a file that nobody vouches for: it sees the conversation and nothing
/// else, its steps and its output are limited, and it cannot multiply. What is not limited is the memory
/// of a string or a list that it doubles again and again: take templates from whom you take weights.
///
/// ```
/// use vlm_lora::{ChatTemplate, Message};
///
/// let template = ChatTemplate::new(
///     "{% for m in messages %}<{{ m.role }}>{{ m.content.strip() }}{% endfor %}\
///      {% if add_generation_prompt %}<assistant>{% endif %}",
/// );
/// let text = template.render(&[Message::text("user", " Hello ")], true)?;
/// assert_eq!(text, "<user>Hello<assistant>");
///
/// let endless = ChatTemplate::new("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}");
/// assert!(endless.render(&[], true).is_err());
/// # Ok::<(), vlm_lora::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    source: String,
    /// Names and texts of special tokens.
    tokens: Vec<(String, String)>,
}

impl ChatTemplate {
    /// A template that uses no special token by name.
    #[must_use]
    pub fn new(source: &str) -> Self {
        Self { source: source.to_owned(), tokens: Vec::new() }
    }

    /// The form of Qwen and of much else: `<|im_start|>role`, a line break, text, `<|im_end|>`.
    #[must_use]
    pub fn chat_ml() -> Self {
        Self::new(
            "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}\
             <|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        )
    }

    /// [`chat_ml`](Self::chat_ml) in which `picture` stands where a message shows a picture:
    /// `<|vision_start|><|image_pad|><|vision_end|>` of Qwen2-VL, `<image>` and a line break of
    /// MC-LLaVA.
    #[must_use]
    pub fn chat_ml_with_pictures(picture: &str) -> Self {
        let template = Self::chat_ml();
        let content = "{% if message.content is string %}{{ message.content }}{% else %}\
             {% for part in message.content %}{% if part.type == 'image' %}PICTURE\
             {% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}";
        let content = content.replace("PICTURE", picture);
        Self::new(&template.source.replace("{{ message.content }}", &content))
    }

    /// Adds a special token, such as `bos_token`, that the template can name.
    #[must_use]
    pub fn with_token(mut self, name: &str, text: &str) -> Self {
        self.tokens.push((name.to_owned(), text.to_owned()));
        self
    }

    /// The template of the folder at `path`: `chat_template.jinja`, `chat_template.json`, or that of
    /// `tokenizer_config.json`, which also names special tokens. `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Cifake`] where a file cannot be read, [`Error::Json`].
    pub fn from_folder(path: &Path) -> Result<Option<Self>, Error> {
        let config = json(&path.join("tokenizer_config.json"))?;
        let file = path.join("chat_template.jinja");
        let source = if file.is_file() {
            let bytes = cifake::file::read_limited(&file, MAX_BYTES)?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        } else {
            json(&path.join("chat_template.json"))?.or(config.clone()).as_ref().and_then(source)
        };
        let named = |name: &str| {
            let token = config.as_ref()?.get(name)?;
            let text = token.as_str().or(token.get("content").and_then(Value::as_str))?;
            Some((name.to_owned(), text.to_owned()))
        };
        let tokens = ["bos_token", "eos_token", "unk_token", "pad_token"].into_iter();
        let tokens = tokens.filter_map(named).collect();
        Ok(source.map(|source| Self { source, tokens }))
    }

    /// The text of `messages`; with `add_generation_prompt` it ends where the assistant's answer
    /// begins.
    ///
    /// # Errors
    /// [`Error::ChatTemplate`] where the template is broken, refuses the conversation, or takes too many
    /// steps; [`Error::Limit`] where its text becomes too long.
    pub fn render(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
    ) -> Result<String, Error> {
        crate::Limits::check("the chat template", self.source.len() as u64, MAX_BYTES)?;
        let failed = |source| Error::ChatTemplate { source };
        if multiplies(&self.source) {
            return Err(failed(refused("it multiplies, which can fill any memory".to_owned())));
        }
        let environment = environment();
        let template = environment.template_from_str(&self.source).map_err(failed)?;
        let messages: Vec<Value> = messages.iter().map(Message::to_value).collect();
        let tokens: serde_json::Map<String, Value> =
            self.tokens.iter().map(|(name, text)| (name.clone(), text.as_str().into())).collect();
        let values = context! { messages, add_generation_prompt, ..minijinja::Value::from_serialize(tokens) };
        let mut text = Limited(Vec::new());
        match template.render_captured_to(values, &mut text) {
            Ok(_) => Ok(String::from_utf8_lossy(&text.0).into_owned()),
            Err(_) if text.0.len() >= MAX_TEXT_BYTES => Err(Error::Limit {
                what: "the text of the chat template".to_owned(),
                found: text.0.len() as u64,
                limit: MAX_TEXT_BYTES as u64,
            }),
            Err(source) => Err(failed(source)),
        }
    }
}

/// Output up to a limit.
struct Limited(Vec<u8>);

impl std::io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let room = MAX_TEXT_BYTES - self.0.len();
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room {
            return Err(std::io::Error::other("the text is too long"));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The JSON file at `path`, where there is one.
fn json(path: &Path) -> Result<Option<Value>, Error> {
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = cifake::file::read_limited(path, MAX_BYTES)?;
    let value = serde_json::from_slice(&bytes);
    value.map(Some).map_err(|source| Error::Json { path: path.to_owned(), source })
}

/// The template of a configuration: a string, or the one called `default` of several.
fn source(config: &Value) -> Option<String> {
    let template = config.get("chat_template")?;
    if let Some(text) = template.as_str() {
        return Some(text.to_owned());
    }
    let default = template.as_array()?.iter().find(|entry| entry["name"] == "default")?;
    Some(default.get("template")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_parts_of_a_message() {
        let source = "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}\
            {% for part in m.content %}{% if part.type == 'image' %}[picture]{% else %}{{ part.text }}{% endif %}\
            {% endfor %}{% endif %}{% endfor %}";
        let messages = [Message::text("system", "A. "), Message::with_images("user", 2, "What?")];
        let text = ChatTemplate::new(source).render(&messages, true).expect("the template is fine");
        assert_eq!(text, "A. [picture][picture]What?");
    }

    #[test]
    fn templates_that_do_not_end_or_fill_memory_are_errors() {
        for source in [
            "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
            "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
            "{% for a in range(9000) %}{{ messages[0].content }}{% endfor %}",
            "{{ raise_exception('no') }}",
            "{% if %}",
            "{% include 'other' %}",
            "{{ 'x' * 100000000000 }}",
            "{{ ([1]*100000000000)|list }}",
            "{{ ([1] * 1152921504606846976)|length }}",
            "{{ messages[0].content.replace('x', messages[0].content) }}",
            "{{ messages[0].content|replace('x', messages[0].content) }}",
            "{{ [1]|batch(9999999999999999) }}",
            "{{ [1]|slice(9999999999999999) }}",
            "{{ 'a'|indent(9999999999999999) }}",
            "{{ messages|tojson(indent=9999999999999999) }}",
        ] {
            let long = Message::text("user", &"x".repeat(10_000));
            let found = ChatTemplate::new(source).render(&[long], true);
            let typed = matches!(found, Err(Error::ChatTemplate { .. } | Error::Limit { .. }));
            assert!(typed, "{source}");
        }
    }

    #[test]
    fn stars_are_text_where_they_multiply_nothing() {
        for (source, expected) in [
            ("* {{ '*' }} {{ \"it's *\" }} *", "* * it's * *"),
            ("{% if true %}*{% endif %}{{ 'a\\'*' }}", "*a'*"),
            ("{ * } {{ 'ab'|replace('b', '*') }}{{ 'ab'.replace('a', '*') }}", "{ * } a**b"),
        ] {
            assert_eq!(ChatTemplate::new(source).render(&[], true).expect(source), expected);
        }
        for source in [
            "{{ [{'a':{}}, [1]*9] }}",
            "{# {{ ' #}{{ [1]*9 }}{# ' #}",
            "{% raw %} endraw {{ ' {% endraw %}{{ [1]*9 }}",
            "{{ 2*3 }}",
            "{% set a = [1] * 2 %}",
            "{{ '\\\\' * 3 }}",
            "{%- if 2 * 2 %}",
        ] {
            assert!(ChatTemplate::new(source).render(&[], true).is_err(), "{source}");
        }
    }

    #[test]
    fn parts_can_be_written_as_json() {
        let messages = [Message::text("user", "Hi")];
        let json = |source: &str| ChatTemplate::new(source).render(&messages, true).ok();
        let line = json("{{ messages[0]|tojson }}");
        assert_eq!(line.as_deref(), Some(r#"{"content":"Hi","role":"user"}"#));
        let lines = json("{{ messages[0]|tojson(indent=2) }}");
        assert_eq!(lines.as_deref(), Some("{\n  \"content\": \"Hi\",\n  \"role\": \"user\"\n}"));
    }

    #[test]
    fn special_tokens_have_names() {
        let template =
            ChatTemplate::new("{{ bos_token }}{{ pad_token }}").with_token("bos_token", "<s>");
        assert_eq!(template.render(&[], false).expect("the template is fine"), "<s>");
        let text = ChatTemplate::chat_ml().render(&[Message::text("user", "Hi")], true);
        let expected = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
        assert_eq!(text.expect("the template is fine"), expected);
    }
}
