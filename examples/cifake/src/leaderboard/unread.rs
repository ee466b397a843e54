//! Pictures that cannot be read: each is told once, and all are counted.

use std::collections::HashSet;

use anyhow::{Result, bail};
use cifake::text::{counted, printable};

/// The number of pictures found at once that are named.
const NAMED: usize = 3;

/// The pictures that could not be read so far.
#[derive(Debug, Default)]
pub(super) struct Unread {
    names: HashSet<String>,
    /// Most pictures that a row of an earlier run could not read.
    n_before: usize,
    /// Whether one such picture is an error.
    strict: bool,
}

impl Unread {
    /// None so far; `strict` says whether one is an error.
    pub(super) fn new(strict: bool) -> Self {
        Self { strict, ..Self::default() }
    }

    /// Adds pictures, each a name and a reason, and says of the new ones what they are.
    ///
    /// # Errors
    ///
    /// The first picture, if one is an error.
    pub(super) fn add(
        &mut self,
        failed: &[(String, String)],
        say: &mut dyn FnMut(&str),
    ) -> Result<()> {
        if let (true, Some((_, reason))) = (self.strict, failed.first()) {
            let n = counted(failed.len(), "picture");
            bail!("{n} cannot be read, the first: {reason}");
        }
        let is_new = |(name, _): &&(String, String)| self.names.insert(name.clone());
        let new: Vec<&(String, String)> = failed.iter().filter(is_new).collect();
        for (_, reason) in new.iter().take(NAMED) {
            say(&printable(&format!("error: {reason}")));
        }
        if new.len() > NAMED {
            say(&format!("error: {} more cannot be read", counted(new.len() - NAMED, "picture")));
        }
        Ok(())
    }

    /// Counts the pictures that the row `name` of an earlier run could not read.
    ///
    /// # Errors
    ///
    /// If there are some, and one is an error.
    pub(super) fn add_before(
        &mut self,
        name: &str,
        n: usize,
        say: &mut dyn FnMut(&str),
    ) -> Result<()> {
        if n <= self.n() {
            return Ok(());
        }
        let found = format!("{} of its row could not be read", counted(n, "picture"));
        if self.strict {
            bail!("{found}");
        }
        self.n_before = n;
        say(&printable(&format!("error: {name}: {found}; --again names them")));
        Ok(())
    }

    /// The number of pictures that could not be read.
    pub(super) fn n(&self) -> usize {
        self.names.len().max(self.n_before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(names: &[&str]) -> Vec<(String, String)> {
        names.iter().map(|name| (name.to_string(), format!("cannot read {name}"))).collect()
    }

    #[test]
    fn each_picture_is_counted_once_and_the_first_few_are_named() {
        let (mut unread, mut said) = (Unread::new(false), Vec::new());
        let mut say = |line: &str| said.push(line.to_owned());
        for _ in 0..2 {
            unread.add(&failed(&["a", "b", "c", "d\u{202e}", "e"]), &mut say).expect("counted");
        }
        unread.add_before("row", 5, &mut say).expect("counted");
        assert_eq!(unread.n(), 5);
        unread.add_before("row", 6, &mut say).expect("counted");
        assert_eq!(unread.n(), 6);
        let expected = [
            "error: cannot read a",
            "error: cannot read b",
            "error: cannot read c",
            "error: 2 pictures more cannot be read",
            "error: row: 6 pictures of its row could not be read; --again names them",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn one_is_an_error_where_that_is_asked_for() {
        let mut unread = Unread::new(true);
        unread.add(&[], &mut |_| ()).expect("none");
        unread.add_before("row", 0, &mut |_| ()).expect("none");
        let error = unread.add(&failed(&["a", "b"]), &mut |_| ()).expect_err("strict").to_string();
        assert_eq!(error, "2 pictures cannot be read, the first: cannot read a");
        assert!(unread.add_before("row", 1, &mut |_| ()).is_err());
    }
}
