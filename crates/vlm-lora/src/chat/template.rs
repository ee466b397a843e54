//! Chat templates: conversations as text.

use minijinja::context;

use super::bounds::{MAX_SOURCE_BYTES, MAX_TEXT_BYTES, refused};
use super::control::ControlTokens;
use super::environment::environment;
use super::guard::guarded;
use super::message::{Message, Seen};
use super::meter::Meter;
use super::picture_place::PicturePlace;
use crate::error::Error;
use crate::source::Limits;

/// Bytes of the stack on which a template is compiled and run. A template that the guard accepts
/// needs much less.
const STACK_BYTES: usize = 16 << 20;

/// A Jinja template, as tokenizers of Hugging Face carry it.
///
/// A template is an untrusted program. It reads the conversation and nothing else. Its steps, its memory,
/// its output and the operators of a tag are limited, and multiplication is forbidden. The function
/// `strftime_now` of transformers does not exist, so a conversation has the same text on every day.
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

    /// Whether `text` stands in it.
    pub(crate) fn mentions(&self, text: &str) -> bool {
        self.source.contains(text)
    }

    /// The text of `messages`; with `add_generation_prompt` it ends where the assistant's answer
    /// begins.
    ///
    /// # Errors
    /// [`Error::ChatTemplate`] where the template is broken, refuses the conversation, or takes too many
    /// steps or too much memory; [`Error::Limit`] where its text becomes too long.
    pub fn render(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
    ) -> Result<String, Error> {
        Limits::check("the chat template", self.source.len() as u64, MAX_SOURCE_BYTES)?;
        let failed = |source| Error::ChatTemplate { source };
        let source = guarded(&self.source).map_err(|reason| failed(refused(reason)))?;
        let run = || self.run(&source, messages, add_generation_prompt);
        // On a thread of its own, whose stack is as deep in every program; the engine's panics end there.
        let done = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
            thread.spawn_scoped(scope, run).map(|thread| thread.join())
        });
        match done {
            Ok(Ok(text)) => text,
            Ok(Err(_)) => Err(failed(refused("the template engine broke down over it"))),
            Err(error) => Err(failed(refused("no thread could be started").with_source(error))),
        }
    }

    fn run(&self, source: &str, messages: &[Message], open: bool) -> Result<String, Error> {
        let failed = |source| Error::ChatTemplate { source };
        let environment = environment(Meter::new(messages.iter().map(Message::len).sum()));
        let template = environment.template_from_str(source).map_err(failed)?;
        let seen: Vec<Seen<'_>> = messages.iter().map(Message::seen).collect();
        let tokens = self.tokens.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let tokens: minijinja::Value = tokens.collect();
        let values = context! {
            messages => minijinja::Value::from_serialize(&seen),
            add_generation_prompt => open,
            // Published templates ask whether they are none, which a name that is not there is not.
            tools => (),
            documents => (),
            ..tokens
        };
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

    /// The text of `messages`, whose pictures stand as `place` says, for
    /// [`Tokenizer::encode_marked`](crate::Tokenizer::encode_marked). A message may spell one of
    /// the tokens that the template writes. It is then marked as mere text, so that no message ends
    /// a turn or begins one.
    ///
    /// # Errors
    /// As [`render`](Self::render).
    pub fn render_marked(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
        control: &ControlTokens,
        place: &PicturePlace,
    ) -> Result<String, Error> {
        let marked = messages.iter().map(|message| place.written(message.clone().marked(control)));
        self.render(&marked.collect::<Vec<_>>(), add_generation_prompt)
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
    fn messages_are_written_as_json_in_the_order_of_their_fields() {
        let messages = [Message::with_images("user", 1, "Hi")];
        let json = |source: &str| ChatTemplate::new(source).render(&messages, true).ok();
        let line = json("{{ messages[0]|tojson }}");
        let expected =
            r#"{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Hi"}]}"#;
        assert_eq!(line.as_deref(), Some(expected));
        let lines = json("{{ messages[0].content[1]|tojson(indent=2) }}");
        assert_eq!(lines.as_deref(), Some("{\n  \"type\": \"text\",\n  \"text\": \"Hi\"\n}"));
    }

    #[test]
    fn tools_and_documents_are_none_and_flags_are_pythons() {
        let source = "{% if tools is not none %}tools{% endif %}{% if documents is none %}none{% endif %}\
            {{ tools }} {{ add_generation_prompt }}";
        let text = ChatTemplate::new(source).render(&[], true).expect("it is fine");
        assert_eq!(text, "noneNone True");
    }

    /// Templates that overflowed the stack, panicked, or took any amount of memory or time.
    #[test]
    fn hostile_templates_are_errors() {
        let doubled = "{% set n = namespace(s='ab') %}{% for i in range(60) %}{% set n.s = n.s ~ n.s %}\
            {% endfor %}{{ n.s|length }}";
        for source in [
            "{{ ''[::-1] }}".to_owned(),
            format!("{{{{ {}1 }}}}", "-".repeat(5000)),
            format!("{{{{ {}1 }}}}", "1+".repeat(5000)),
            format!("{{{{ {}1 }}}}", "not ".repeat(5000)),
            format!("{{{{ a{} }}}}", ".a".repeat(5000)),
            format!("{{{{ a{} }}}}", "|trim".repeat(5000)),
            format!("{{% if a %}}{}{{% endif %}}", "{% elif a %}".repeat(5000)),
            "{{ '{:>99999999999}'.format(1) }}".to_owned(),
            "{{ '{:>{}}'.format(1, 99999999999) }}".to_owned(),
            "{{ '%99999999999s'|format(1) }}".to_owned(),
            "{{ '%0*d'|format(99999999999, 1) }}".to_owned(),
            doubled.to_owned(),
            doubled.replace("n.s ~ n.s", "n.s + n.s"),
            doubled.replace("namespace(s='ab')", "namespace(s=[1, 2])").replace('~', "+"),
            "{% macro f(s) %}{{ f(s ~ s) }}{% endmacro %}{{ f('ab') }}".to_owned(),
            "{% set s %}{% for i in range(100000) %}{{ messages[0].content }}{% endfor %}{% endset %}"
                .to_owned(),
            format!(
                "{{% set s %}}{{% for i in range(100000) %}}{}{{% endfor %}}{{% endset %}}",
                "ab".repeat(50_000)
            ),
            "{% for i in range(99999) %}{% if messages[0].content|upper|lower %}{% endif %}{% endfor %}"
                .to_owned(),
        ] {
            let long = Message::text("user", &"x".repeat(100_000));
            let found = ChatTemplate::new(&source).render(&[long], true);
            let typed = matches!(found, Err(Error::ChatTemplate { .. } | Error::Limit { .. }));
            assert!(typed, "{:.80}: {:?}", source, found.map(|text| text.len()));
        }
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
