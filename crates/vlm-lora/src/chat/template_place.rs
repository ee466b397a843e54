//! Finding out whether a chat template writes the places of pictures.

use super::message::{IMAGE, Message};
use super::picture_place::PicturePlace;
use super::template::ChatTemplate;

impl PicturePlace {
    /// Whether `template` writes the places of pictures; if not, `text` is what stands there.
    #[must_use]
    pub fn of(template: &ChatTemplate, text: &str) -> Self {
        let written = |said: &str| template.render(&[Message::interleaved("user", said)], true);
        let (Ok(plain), Ok(shown)) = (written("?"), written(&format!("{IMAGE}?"))) else {
            return Self::Text(text.to_owned());
        };
        // A template for text alone leaves the picture away, writes the list of parts out, or fails.
        let is_list = shown.contains("type") && !plain.contains("type");
        match shown.len() > plain.len() && !is_list {
            true => Self::Part,
            false => Self::Text(text.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_with_and_without_pictures_are_told_apart() {
        let both = |template: &str| {
            let template = ChatTemplate::new(template);
            let place = PicturePlace::of(&template, "<filename>");
            let asked = place.written(Message::interleaved("user", "A <image> and <image>"));
            (template.render(&[asked], true).expect("it wrote one before"), place)
        };
        let with = both(
            "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}\
             {% for part in m.content %}{% if part.type == 'image' %}[picture]{% else %}\
             {{ part.text }}{% endif %}{% endfor %}{% endif %}{% endfor %}",
        );
        assert_eq!(with, ("A [picture] and [picture]".to_owned(), PicturePlace::Part));
        for template in [
            "{% for m in messages %}{{ m.content }}{% endfor %}",
            "{% for m in messages %}{{ m.content.strip() }}{% endfor %}",
            "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% endif %}{% endfor %}",
        ] {
            let place = PicturePlace::Text("<filename>".to_owned());
            let expected = ("A <filename> and <filename>".to_owned(), place);
            assert_eq!(both(template), expected, "{template}");
        }
    }
}
