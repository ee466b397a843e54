//! Pictures with names for their results.

use std::collections::HashSet;
use std::path::Path;

use cifake::Input;

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

/// `stem` for the result of this `number`, from 1 on.
pub(crate) fn numbered(stem: &str, number: usize) -> String {
    if number == 1 { stem.to_owned() } else { format!("{stem}-{number}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_one_name_get_numbers_that_no_other_has() {
        let paths = ["a/x.png", "b/x.png", "c/x-2.png", "d/x.jpg", "e/y.png"];
        let named = named(paths.map(Input::file).into());
        let stems: Vec<&str> = named.iter().map(|named| named.stem.as_str()).collect();
        assert_eq!(stems, ["x", "x-3", "x-2", "x-4", "y"]);
        assert_eq!(named[1].input.name(), "b/x.png");
    }
}
