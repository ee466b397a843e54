//! Rust source split into code, comments and test regions, so that a rule about code is not
//! triggered by a doc comment, a string or a test.

/// One line of a source file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// The line without comments; literals are emptied to `""` and `' '`.
    pub(crate) code: String,
    /// The text of the line's comments, doc comments included.
    pub(crate) comment: String,
    /// Inside an item under `#[cfg(test)]`.
    pub(crate) test: bool,
}

impl Line {
    /// True if the code holds `pattern` and the character before it does not continue a name, so
    /// that `println!` is not found in `eprintln!`.
    pub(crate) fn calls(&self, pattern: &str) -> bool {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let begins_as_name = pattern.starts_with(is_name);
        self.code
            .match_indices(pattern)
            .any(|(at, _)| !(begins_as_name && self.code[..at].ends_with(is_name)))
    }
}

/// Splits `source` into lines.
pub(crate) fn lines(source: &str) -> Vec<Line> {
    let mut scanner =
        Scanner { rest: source.chars().collect(), at: 0, lines: vec![Line::default()] };
    scanner.scan();
    mark_tests(&mut scanner.lines);
    scanner.lines
}

struct Scanner {
    rest: Vec<char>,
    at: usize,
    lines: Vec<Line>,
}

impl Scanner {
    fn scan(&mut self) {
        while let Some(c) = self.peek(0) {
            match (c, self.peek(1)) {
                ('/', Some('/')) => self.line_comment(),
                ('/', Some('*')) => self.block_comment(),
                ('"', _) => self.string(),
                ('r', Some('"' | '#')) if self.raw_hashes().is_some() => self.raw_string(),
                ('\'', _) => self.quote(),
                _ => self.take_code(),
            }
        }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest.get(self.at + ahead).copied()
    }

    fn line(&mut self) -> &mut Line {
        self.lines.last_mut().expect("a scanner starts with one line")
    }

    /// Consumes a character, which starts a new line if it is a line feed.
    fn skip(&mut self) -> Option<char> {
        let c = self.peek(0)?;
        self.at += 1;
        if c == '\n' {
            self.lines.push(Line::default());
        }
        Some(c)
    }

    fn advance(&mut self, count: usize) {
        for _ in 0..count {
            self.skip();
        }
    }

    fn take_code(&mut self) {
        if let Some(c) = self.skip().filter(|c| *c != '\n' && *c != '\r') {
            self.line().code.push(c);
        }
    }

    fn line_comment(&mut self) {
        while let Some(c) = self.peek(0).filter(|c| *c != '\n') {
            self.line().comment.push(c);
            self.at += 1;
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        while let Some(c) = self.peek(0) {
            let pair = (c, self.peek(1));
            let width = if matches!(pair, ('/', Some('*')) | ('*', Some('/'))) { 2 } else { 1 };
            match pair {
                ('/', Some('*')) => depth += 1,
                ('*', Some('/')) => depth -= 1,
                _ => {}
            }
            for _ in 0..width {
                if let Some(c) = self.skip().filter(|c| *c != '\n') {
                    self.line().comment.push(c);
                }
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.line().code.push_str("\"\"");
        self.skip();
        while let Some(c) = self.skip() {
            match c {
                '\\' => self.advance(1),
                '"' => return,
                _ => {}
            }
        }
    }

    /// Hashes of the raw string that starts here; `None` if this `r` belongs to a name.
    fn raw_hashes(&self) -> Option<usize> {
        let before = |back: usize| self.at.checked_sub(back).map(|at| self.rest[at]);
        let continues = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let prefixed = matches!(before(1), Some('b' | 'c')) && !continues(before(2));
        if continues(before(1)) && !prefixed {
            return None;
        }
        let hashes = (1..).take_while(|ahead| self.peek(*ahead) == Some('#')).count();
        (self.peek(1 + hashes) == Some('"')).then_some(hashes)
    }

    fn raw_string(&mut self) {
        let hashes = self.raw_hashes().expect("called where a raw string starts");
        self.line().code.push_str("\"\"");
        self.advance(hashes + 2);
        while let Some(c) = self.skip() {
            if c == '"' && (0..hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                self.advance(hashes);
                return;
            }
        }
    }

    /// A character literal or a lifetime.
    fn quote(&mut self) {
        let escaped = self.peek(1) == Some('\\');
        if !escaped && self.peek(2) != Some('\'') {
            return self.take_code();
        }
        self.line().code.push_str("' '");
        self.at += 3;
        while escaped && self.skip().is_some_and(|c| c != '\'') {}
    }
}

/// Marks the lines of every item that follows `#[cfg(test)]`, or all of them after `#![cfg(test)]`.
fn mark_tests(lines: &mut [Line]) {
    let mut pending = false;
    let mut depth = 0_usize;
    let mut test_depth = None;
    let whole = lines.iter().any(|line| line.code.trim() == "#![cfg(test)]");
    for line in lines {
        pending |= ["#[cfg(test)]", "#[cfg(all(test,"].iter().any(|cfg| line.code.contains(cfg));
        line.test = whole || pending || test_depth.is_some();
        for c in line.code.chars() {
            match c {
                '{' => {
                    if std::mem::take(&mut pending) {
                        test_depth = Some(depth);
                    }
                    depth += 1;
                }
                '}' => {
                    depth = depth.saturating_sub(1);
                    test_depth = test_depth.filter(|start| depth > *start);
                }
                ';' => pending = false,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(source: &str) -> Vec<String> {
        lines(source).into_iter().map(|line| line.code).collect()
    }

    #[test]
    fn comments_leave_the_code() {
        let found = lines("let a = 1; // SAFETY: b\n/* c /* d */\ne */ f();");
        assert_eq!(found[0].code, "let a = 1; ");
        assert_eq!(found[0].comment, "// SAFETY: b");
        assert_eq!((found[1].code.as_str(), found[2].code.as_str()), ("", " f();"));
    }

    #[test]
    fn strings_are_emptied_and_keep_their_lines() {
        assert_eq!(code("f(\"a\\\" // b\nc\");\ng();"), ["f(\"\"", ");", "g();"]);
        assert_eq!(code(r####"f(r##"a "# b"##, br"\", r#fn);"####), [r##"f("", b"", r#fn);"##]);
    }

    #[test]
    fn characters_are_told_from_lifetimes() {
        assert_eq!(code("f::<'a>('\"', '\\'', '{', '\\u{1F}');"), ["f::<'a>(' ', ' ', ' ', ' ');"]);
    }

    #[test]
    fn test_modules_are_marked_to_their_closing_brace() {
        let found = lines("fn a() {}\n#[cfg(test)]\nmod t {\n  fn b() {}\n}\nfn c() {}");
        let marks: Vec<bool> = found.iter().map(|line| line.test).collect();
        assert_eq!(marks, [false, true, true, true, true, false]);
    }

    #[test]
    fn a_test_item_without_a_body_ends_at_its_semicolon() {
        let found = lines("#[cfg(test)]\nmod t;\nfn c() {}");
        assert_eq!(found.iter().map(|line| line.test).collect::<Vec<_>>(), [true, true, false]);
    }

    #[test]
    fn a_call_is_found_as_a_whole_name() {
        let line = |code: &str| Line { code: code.to_owned(), ..Line::default() };
        assert!(line("std::println!(x)").calls("println!"));
        assert!(!line("eprintln!(x)").calls("println!"));
        assert!(line("a.b().unwrap()").calls(".unwrap()"));
    }
}
