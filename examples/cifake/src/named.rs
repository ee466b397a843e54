//! Pictures with names for their results.

use std::collections::HashSet;
use std::path::Path;

use cifake::Input;
use cifake::text::one_line;

/// A picture, and how the names of its results begin.
#[derive(Debug)]
pub(crate) struct Named {
    /// The picture.
    pub(crate) input: Input,
    /// The name of its file without its ending, with a number behind it where another picture has it.
    pub(crate) stem: String,
}

/// Gives each of `inputs` a stem of its own. Those that are alone keep theirs.
pub(crate) fn named(inputs: Vec<Input>) -> Vec<Named> {
    let own = |input: &Input| {
        let stem = Path::new(input.name()).file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    };
    let theirs: HashSet<String> = inputs.iter().map(own).collect();
    let mut given = HashSet::new();
    let mut free = |input: Input| {
        let first = own(&input);
        let stem = match given.contains(&first) {
            false => first,
            true => (2..)
                .map(|number| numbered(&first, number))
                .find(|stem| !theirs.contains(stem) && !given.contains(stem))
                .unwrap_or(first),
        };
        given.insert(stem.clone());
        Named { input, stem }
    };
    inputs.into_iter().map(&mut free).collect()
}

/// The line of a table for the input at `path` that has an `error`, which may name it already.
pub(crate) fn error_line(path: &str, error: &str) -> String {
    let line = match error.contains(path) {
        true => format!("ERROR  {error}"),
        false => format!("ERROR  {path}: {error}"),
    };
    one_line(&line).into_owned()
}

/// `stem` for the result of this `number`, from 1 on.
pub(crate) fn numbered(stem: &str, number: usize) -> String {
    if number == 1 { stem.to_owned() } else { format!("{stem}-{number}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_picture_once() {
        let line = |error: &str| error_line("a.png", error);
        assert_eq!(line("it is\nempty"), line("a.png: it is\nempty"));
        assert!(line("it is empty").starts_with("ERROR  a.png: "));
    }

    #[test]
    fn pictures_of_one_name_get_numbers_that_no_other_has() {
        let paths = ["a/x.png", "b/x.png", "c/x-2.png", "d/x.jpg", "e/y.png"];
        let named = named(paths.map(Input::file).into());
        let stems: Vec<&str> = named.iter().map(|named| named.stem.as_str()).collect();
        assert_eq!(stems, ["x", "x-3", "x-2", "x-4", "y"]);
        assert_eq!(named[1].input.name(), "b/x.png");
    }
}
