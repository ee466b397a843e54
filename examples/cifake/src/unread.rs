//! Pictures that cannot be read, named.

use cifake::text::one_line;

/// Most that are named.
const NAMED: usize = 10;

/// Says on standard error how many pictures were left out, and why the first of them.
pub(crate) fn tell_unread<T: AsRef<str>>(errors: impl ExactSizeIterator<Item = T>) {
    for line in lines(errors) {
        eprintln!("{line}");
    }
}

/// The sentences; none where there are no errors.
fn lines<T: AsRef<str>>(errors: impl ExactSizeIterator<Item = T>) -> Vec<String> {
    let n = errors.len();
    if n == 0 {
        return Vec::new();
    }
    let first = format!("warning: pictures that cannot be read and are left out: {n}");
    let named = errors.take(NAMED).map(|error| format!("  {}", one_line(error.as_ref())));
    let more = n.checked_sub(NAMED + 1).map(|more| format!("  and {} more", more + 1));
    std::iter::once(first).chain(named).chain(more).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_named_and_the_others_counted() {
        let told = |n: usize| lines((0..n).map(|i| format!("{i}\n.png")));
        assert!(told(0).is_empty());
        assert_eq!(told(NAMED).len(), 1 + NAMED);
        assert!(told(1)[1].starts_with("  0") && !told(1)[1].contains('\n'));
        assert_eq!(told(NAMED + 3).last().map(String::as_str), Some("  and 3 more"));
    }
}
