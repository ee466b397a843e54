//! One file's declarations, items and paths, read from its tokens.

use std::collections::BTreeMap;

use crate::tidy::source::Line;

/// A path such as `crate::metrics::auroc`, segment by segment; the last one may be `*`.
pub(super) type Segments = Vec<String>;

/// The names that one file declares and uses, outside its tests.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// `mod name;`
    pub(super) children: Vec<String>,
    /// Names of the items that stand here.
    pub(super) items: Vec<String>,
    /// Name -> the path that a `use` gives it.
    pub(super) aliases: BTreeMap<String, Segments>,
    /// Paths of `use ...::*`, without the star.
    pub(super) globs: Vec<Segments>,
    /// Paths of private `use`, and paths of two or more segments in the code.
    pub(super) paths: Vec<Segments>,
}

const ITEMS: &[&str] =
    &["fn", "struct", "enum", "union", "trait", "type", "const", "static", "macro_rules"];

/// Reads a file. Modules in braces belong to their file and are not looked into.
pub(super) fn read(lines: &[Line]) -> Source {
    let tokens = tokens(lines);
    let mut source = Source::default();
    let (mut at, mut depth) = (0, 0_usize);
    while at < tokens.len() {
        match tokens[at].as_str() {
            "mod" if is(&tokens, at + 2, ";") => source.children.push(tokens[at + 1].clone()),
            "mod" if is(&tokens, at + 2, "{") => {
                at = closing(&tokens, at + 2);
                continue;
            }
            "use" if !is(&tokens, at + 1, "<") => {
                at = read_use(&tokens, at, &mut source);
                continue;
            }
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            word if depth == 0 && ITEMS.contains(&word) => {
                let name = tokens[at + 1..].iter().find(|token| is_name(token));
                source.items.extend(name.cloned());
            }
            word if is_name(word) && is(&tokens, at + 1, "::") => {
                let mut path = vec![word.to_owned()];
                while is(&tokens, at + 1, "::") && tokens.get(at + 2).is_some_and(|t| is_name(t)) {
                    at += 2;
                    path.push(tokens[at].clone());
                }
                source.paths.push(path);
            }
            _ => {}
        }
        at += 1;
    }
    source
}

/// Names, `::` and single other characters.
fn tokens(lines: &[Line]) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    for line in lines.iter().filter(|line| !line.test) {
        let mut rest = line.code.as_str();
        while let Some(c) = rest.chars().next() {
            let length = match c {
                ':' if rest.starts_with("::") => 2,
                c if is_name_char(c) => rest.find(|c| !is_name_char(c)).unwrap_or(rest.len()),
                c => c.len_utf8(),
            };
            if !c.is_whitespace() {
                tokens.push(rest[..length].to_owned());
            }
            rest = &rest[length..];
        }
    }
    tokens
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn is(tokens: &[String], at: usize, token: &str) -> bool {
    tokens.get(at).is_some_and(|found| found == token)
}

/// The index behind the brace that closes the one at `open`.
fn closing(tokens: &[String], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.as_str() {
            "{" => depth += 1,
            "}" if depth == 1 => return at + 1,
            "}" => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Reads the `use` at `at` and returns the index behind its semicolon.
fn read_use(tokens: &[String], at: usize, source: &mut Source) -> usize {
    let end = tokens[at..].iter().position(|token| token == ";").map_or(tokens.len(), |n| at + n);
    let public = at > 0 && (tokens[at - 1] == "pub" || visibility(&tokens[..at]));
    let mut leaves = Vec::new();
    read_tree(&tokens[at + 1..end], &[], &mut leaves);
    for (path, name) in leaves {
        match path.split_last() {
            Some((star, module)) if star == "*" => source.globs.push(module.to_vec()),
            _ => {
                source.aliases.insert(name, path.clone());
            }
        }
        if !public {
            source.paths.push(path);
        }
    }
    end + 1
}

/// True if the tokens end with `pub(...)`.
fn visibility(before: &[String]) -> bool {
    let open = before.iter().rposition(|token| token == "(");
    let is_public = |open: usize| open > 0 && before[open - 1] == "pub";
    before.last().is_some_and(|token| token == ")") && open.is_some_and(is_public)
}

/// The paths of a use tree, each with the name that it gets.
fn read_tree(tokens: &[String], prefix: &[String], leaves: &mut Vec<(Segments, String)>) {
    let mut path = prefix.to_vec();
    let mut name = None;
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "::" => {}
            "as" => {
                name = tokens.get(at + 1).cloned();
                at += 1;
            }
            "{" => {
                let end = closing(tokens, at);
                for branch in branches(&tokens[at + 1..end - 1]) {
                    read_tree(branch, &path, leaves);
                }
                return;
            }
            // `a::{self}` is `a`; a path may begin with `self`.
            "self" if !path.is_empty() => {}
            segment => path.push(segment.to_owned()),
        }
        at += 1;
    }
    if let Some(last) = path.last().cloned() {
        leaves.push((path, name.unwrap_or(last)));
    }
}

/// Splits at the commas that stand in no inner braces.
fn branches(tokens: &[String]) -> Vec<&[String]> {
    let mut depth = 0_usize;
    let split = tokens.split(|token| {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && token == ","
    });
    split.filter(|branch| !branch.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::source;

    fn of(text: &str) -> Source {
        read(&source::lines(text))
    }

    fn joined(paths: &[Segments]) -> Vec<String> {
        paths.iter().map(|path| path.join("::")).collect()
    }

    #[test]
    fn a_use_tree_becomes_its_paths() {
        let source = of("use crate::{a::{self, B}, c::D as E};\nuse super::f::*;");
        assert_eq!(
            joined(&source.paths),
            ["crate::a", "crate::a::B", "crate::c::D", "super::f::*"]
        );
        assert_eq!(source.aliases["E"].join("::"), "crate::c::D");
        assert_eq!(joined(&source.globs), ["super::f"]);
    }

    #[test]
    fn re_exports_name_items_and_are_no_uses() {
        let source = of("mod a;\npub mod b;\npub use a::X;\npub(crate) use b::Y;");
        assert_eq!(source.children, ["a", "b"]);
        assert_eq!(source.paths, Vec::<Segments>::new());
        assert_eq!(source.aliases.keys().collect::<Vec<_>>(), ["X", "Y"]);
    }

    #[test]
    fn items_and_paths_in_the_code_are_seen_and_tests_are_not() {
        let source = of("pub const fn a() { super::b::c(); }\nstruct D;\n\
                         #[cfg(test)]\nmod tests { use super::*; fn e() {} }");
        assert_eq!(source.items, ["fn", "a", "D"]);
        assert_eq!(joined(&source.paths), ["super::b::c"]);
    }
}
