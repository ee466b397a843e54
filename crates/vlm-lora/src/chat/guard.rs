//! A template's source is checked before it is compiled. Code that would overflow the compiler's
//! stack, or multiply, is refused. Code that binds a name or filters a value is made to pass the
//! [meter](super::meter).

/// Signs and words of one tag that nest or repeat something: a busy tag of a published template has 60.
const MAX_SIGNS: usize = 512;
/// Branches of one template, each of which lies inside the one before.
const MAX_BRANCHES: usize = 256;
/// Tags of a template.
const MAX_TAGS: usize = 20_000;
/// Bytes of text between two tags that pass unseen.
const SHORT: usize = 1024;
/// The filter that takes note of longer text.
pub(super) const WROTE: &str = "__wrote";
/// The filter that weighs what is kept under a name.
pub(super) const KEEP: &str = "__keep";
/// The filter before each filter.
pub(super) const READ: &str = "__read";
/// Words that combine expressions.
const WORDS: [&str; 7] = ["not", "and", "or", "in", "is", "if", "else"];

/// `source` as it is compiled, or why it is not.
pub(super) fn guarded(source: &str) -> Result<String, String> {
    let mut out = String::with_capacity(source.len());
    let (mut rest, mut n_tags, mut n_branches) = (source, 0, 0);
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        write_text(&mut out, before)?;
        let kind = from.as_bytes().get(1).copied();
        if kind == Some(b'#') {
            let end = from.find("#}").map_or(from.len(), |end| end + 2);
            out.push_str(&from[..end]);
            rest = &from[end..];
            continue;
        }
        let (Some(open), true) = (kind, matches!(kind, Some(b'{' | b'%'))) else {
            out.push('{');
            rest = &from[1..];
            continue;
        };
        n_tags += 1;
        if n_tags > MAX_TAGS {
            return Err(format!("it has more than {MAX_TAGS} tags"));
        }
        let tag = Tag::read(from, open)?;
        n_branches += usize::from(tag.keyword() == "elif");
        if n_branches > MAX_BRANCHES {
            return Err(format!("it has more than {MAX_BRANCHES} branches"));
        }
        rest = tag.rest;
        if open == b'%' && tag.keyword() == "raw" {
            let end = behind_raw(rest);
            if end > SHORT {
                return Err(format!("a raw block of more than {SHORT} bytes"));
            }
            out.push_str(&from[..from.len() - rest.len() + end]);
            rest = &rest[end..];
            continue;
        }
        tag.write(&mut out, open);
    }
    write_text(&mut out, rest)?;
    Ok(out)
}

/// Writes what stands between two tags. Into a long one goes a note of its length, between two letters,
/// where no rule for the white space around a tag reaches.
fn write_text(out: &mut String, text: &str) -> Result<(), String> {
    if text.len() <= SHORT {
        out.push_str(text);
        return Ok(());
    }
    let letters = text.char_indices().zip(text.chars().skip(1));
    let mut inner = letters.filter(|((_, a), b)| !a.is_whitespace() && !b.is_whitespace());
    let Some(((at, letter), _)) = inner.next() else {
        return Err(format!("more than {SHORT} bytes of white space"));
    };
    let (before, behind) = text.split_at(at + letter.len_utf8());
    out.push_str(&format!("{before}{{{{ {}|{WROTE} }}}}{behind}", text.len()));
    Ok(())
}

/// A tag, without what opens and closes it.
struct Tag<'a> {
    /// The code between the delimiters.
    code: &'a str,
    /// The same with the meter's filter before each filter.
    metered: String,
    /// The closing delimiter; nothing if the source ends first.
    close: &'a str,
    rest: &'a str,
}

impl<'a> Tag<'a> {
    /// The tag at the front of `from`. As in the language, no sign ends it inside of brackets.
    fn read(from: &'a str, open: u8) -> Result<Self, String> {
        let code = &from[2..];
        let last = if open == b'{' { '}' } else { '%' };
        let (mut depth, mut quote, mut previous, mut word) = (0usize, None, ' ', 0);
        let (mut n_signs, mut metered) = (0, String::new());
        let mut letters = code.char_indices();
        let mut end = None;
        while let Some((at, letter)) = letters.next() {
            if !(letter.is_alphanumeric() || letter == '_') || quote.is_some() {
                n_signs += usize::from(quote.is_none() && WORDS.contains(&&code[word..at]));
                word = at + letter.len_utf8();
            }
            metered.push(letter);
            match quote {
                Some(_) if letter == '\\' => {
                    metered.extend(letters.next().map(|(_, letter)| letter));
                    word = letters.offset();
                }
                Some(open) => quote = Some(open).filter(|open| *open != letter),
                None => match letter {
                    '*' => return Err("it multiplies, which can fill any memory".to_owned()),
                    '"' | '\'' => quote = Some(letter),
                    '}' if depth == 0 && previous == last => {
                        end = Some(at - 1);
                        break;
                    }
                    '(' | '[' | '{' => depth += 1,
                    ')' | ']' | '}' => depth = depth.saturating_sub(1),
                    '|' => {
                        metered.push_str(READ);
                        metered.push('|');
                    }
                    _ => {}
                },
            }
            let is_sign = matches!(
                letter,
                '(' | '['
                    | '{'
                    | '|'
                    | '.'
                    | ','
                    | '+'
                    | '-'
                    | '~'
                    | '/'
                    | '%'
                    | '='
                    | '<'
                    | '>'
                    | '!'
            );
            n_signs += usize::from(is_sign && quote.is_none());
            previous = letter;
        }
        if n_signs > MAX_SIGNS {
            return Err(format!("one of its tags has more than {MAX_SIGNS} operators"));
        }
        let Some(mut end) = end else {
            return Ok(Self { code, metered, close: "", rest: "" });
        };
        // A sign for white space belongs to the end.
        end -= usize::from(code[..end].ends_with(['-', '+']));
        let len = code.len() - letters.as_str().len();
        metered.truncate(metered.len() - (len - end));
        Ok(Self { code: &code[..end], metered, close: &code[end..len], rest: &code[len..] })
    }

    /// The first word.
    fn keyword(&self) -> &'a str {
        let code = self.code.trim_start_matches(['-', '+']).trim_start();
        code.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default()
    }

    /// The code behind the first word.
    fn body(&self) -> &'a str {
        let code = self.code.trim_start_matches(['-', '+']).trim_start();
        code[self.keyword().len()..].trim()
    }

    /// Writes the tag, and behind it one for each name that it binds.
    fn write(&self, out: &mut String, open: u8) {
        out.push('{');
        out.push(char::from(open));
        let names = if open == b'%' && !self.close.is_empty() { self.bound() } else { Vec::new() };
        match self.keyword() {
            // transformers marks with it which part of a text an assistant said.
            word @ ("generation" | "endgeneration") if open == b'%' && self.body().is_empty() => {
                let instead = if word == "generation" { "if true" } else { "endif" };
                out.push_str(&self.code.replacen(word, instead, 1));
            }
            _ => out.push_str(&self.metered),
        }
        for name in &names {
            out.push_str(&format!(" %}}{{% set {name} = {name}|{KEEP} "));
        }
        out.push_str(self.close);
    }

    /// Names to which a statement gives a value.
    fn bound(&self) -> Vec<&'a str> {
        let body = self.body();
        let targets = match self.keyword() {
            "set" => split(body, is_assigned).map(|(targets, _)| targets).into_iter().collect(),
            "for" => split(body, is_in).map(|(targets, _)| targets).into_iter().collect(),
            "with" => named(body),
            "macro" => {
                let inner = body.split_once('(').map(|(_, inner)| inner.trim_end());
                inner.and_then(|inner| inner.strip_suffix(')')).map(named).unwrap_or_default()
            }
            _ => Vec::new(),
        };
        let names = targets.into_iter().flat_map(|targets| targets.split(','));
        let names =
            names.map(|name| name.trim_matches(|c: char| c.is_whitespace() || "()".contains(c)));
        let is_name = |name: &&str| {
            let is_letter = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
            name.starts_with(|c: char| c.is_alphabetic() || c == '_') && name.chars().all(is_letter)
        };
        names.filter(is_name).collect()
    }
}

/// The name before the `=` of each part of a list, or the whole part if it has no `=`.
fn named(list: &str) -> Vec<&str> {
    let (mut rest, mut found) = (list, Vec::new());
    loop {
        let (part, more) = split(rest, |code, at| code[at..].starts_with(','))
            .map_or((rest, None), |(part, more)| (part, Some(more)));
        found.push(split(part, is_assigned).map_or(part, |(name, _)| name));
        match more {
            Some(more) => rest = more,
            None => return found,
        }
    }
}

/// Whether the `=` at `at` assigns.
fn is_assigned(code: &str, at: usize) -> bool {
    let before = code[..at].chars().next_back().unwrap_or(' ');
    code[at..].starts_with('=') && !code[at + 1..].starts_with('=') && !"=!<>".contains(before)
}

/// Whether the word `in` is at `at`.
fn is_in(code: &str, at: usize) -> bool {
    let ends = |letter: Option<char>| !letter.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let behind = code[at..].strip_prefix("in");
    behind.is_some_and(|behind| ends(behind.chars().next())) && ends(code[..at].chars().next_back())
}

/// The code before and behind the first byte outside of brackets and texts at which `is_end`.
fn split(code: &str, is_end: impl Fn(&str, usize) -> bool) -> Option<(&str, &str)> {
    let (mut depth, mut quote) = (0usize, None);
    let mut letters = code.char_indices();
    while let Some((at, letter)) = letters.next() {
        match quote {
            Some(_) if letter == '\\' => _ = letters.next(),
            Some(open) => quote = Some(open).filter(|open| *open != letter),
            None if depth == 0 && is_end(code, at) => return Some((&code[..at], &code[at + 1..])),
            None => match letter {
                '"' | '\'' => quote = Some(letter),
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            },
        }
    }
    None
}

/// The place at which a raw block's closing tag ends, or the text does.
fn behind_raw(text: &str) -> usize {
    let mut at = 0;
    while let Some(found) = text[at..].find("{%") {
        at += found + 2;
        let inner = text[at..].trim_start_matches(['-', '+']).trim_start();
        if inner.starts_with("endraw") {
            return text[at..].find("%}").map_or(text.len(), |end| at + end + 2);
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_bound_and_filtered_passes_the_meter() {
        for (source, expected) in [
            ("a { b }} {# {{ x|y }} #}", "a { b }} {# {{ x|y }} #}"),
            ("{{ x | trim }}", "{{ x |__read| trim }}"),
            ("{{ 'a|b' ~ \"\\\"|\" }}", "{{ 'a|b' ~ \"\\\"|\" }}"),
            ("{%- set a = b == c -%}\n", "{%- set a = b == c  %}{% set a = a|__keep -%}\n"),
            ("{% set n.a = 1 %}", "{% set n.a = 1  %}{% set n.a = n.a|__keep %}"),
            ("{% set a %}{{ b }}{% endset %}", "{% set a %}{{ b }}{% endset %}"),
            (
                "{% for a, b in c.items() %}",
                "{% for a, b in c.items()  %}{% set a = a|__keep  %}{% set b = b|__keep %}",
            ),
            (
                "{% macro f(a, b=[1, 2]) %}",
                "{% macro f(a, b=[1, 2])  %}{% set a = a|__keep  %}{% set b = b|__keep %}",
            ),
            ("{% generation -%}a{%- endgeneration %}", "{% if true -%}a{%- endif %}"),
            (
                "{% raw %}{{ a|b }}{% endraw %}{{ a|b }}",
                "{% raw %}{{ a|b }}{% endraw %}{{ a|__read|b }}",
            ),
            ("{{ {'a': {}} }}{{ a", "{{ {'a': {}} }}{{ a"),
        ] {
            let found = guarded(source).expect("it is short");
            assert_eq!(found.replace("  %}", " %}"), expected.replace("  %}", " %}"), "{source}");
        }
    }

    #[test]
    fn long_text_takes_note_of_its_length() {
        let text = format!("\n ab{}", "c".repeat(2000));
        let expected = format!("{{% if a %}}\n a{{{{ 2004|__wrote }}}}b{}", "c".repeat(2000));
        assert_eq!(guarded(&format!("{{% if a %}}{text}")).expect("it has letters"), expected);
        assert!(guarded(&" ".repeat(2000)).is_err());
        assert!(guarded(&format!("{{% raw %}}{text}{{% endraw %}}")).is_err());
    }

    #[test]
    fn long_tags_and_many_branches_are_refused() {
        for part in ["-", "+1", ".a", "|a", "not ", "[", "1 if 1 else ", "a,"] {
            assert!(guarded(&format!("{{{{ {}1 }}}}", part.repeat(600))).is_err(), "{part}");
            let text = format!("{{{{ '{}' }}}}", part.repeat(600));
            assert!(guarded(&text).is_ok(), "{part} in a text");
        }
        let branches = "{% elif a %}".repeat(300);
        assert!(guarded(&format!("{{% if a %}}{branches}{{% endif %}}")).is_err());
        assert!(guarded(&"{{ a }}".repeat(20_001)).is_err());
    }
}
