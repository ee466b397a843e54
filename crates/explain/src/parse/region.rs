//! The place that a text names.

use gradcam::Region;

/// Nouns after which `left` is a place and not the past of `leave`.
const PLACES: [&str; 17] = [
    "area", "border", "corner", "edge", "edges", "end", "half", "hand", "margin", "part",
    "portion", "quadrant", "region", "section", "side", "third", "zone",
];

/// The direction that a word names.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Direction {
    /// Top, middle and bottom, 0 to 2.
    Row(usize),
    /// Left and right, 0 and 2.
    Column(usize),
    Middle,
}

use Direction::{Column, Middle, Row};

/// The first region that `text` names, in words such as `upper-left corner`, `lower right`,
/// `left side` or `the middle`.
///
/// A lone `left`, `right`, `top`, `upper`, `bottom` or `lower` counts only where it must be a
/// place: before a noun such as `side`, or after an article and before `of` or the end of a clause.
pub(super) fn region_of(text: &str) -> Option<Region> {
    let words = words(text);
    let mut at = 0;
    while at < words.len() {
        if let Some(direction) = direction(&words[at]) {
            if let Some(other) = both_sides(direction, &words[at..]) {
                at += other + 1;
                continue;
            }
            if let Some(region) = region_at(direction, &words, at) {
                return Some(region);
            }
        }
        at += 1;
    }
    None
}

/// Words in lower case; the ends of clauses are words of their own.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() || c == '\'' {
            words.last_mut().expect("there is one from the start").push(c);
        } else {
            words.push(if ".,;:!?()".contains(c) { c.to_string() } else { String::new() });
            words.push(String::new());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn direction(word: &str) -> Option<Direction> {
    Some(match word {
        "top" | "upper" | "topmost" | "uppermost" => Row(0),
        "bottom" | "lower" | "bottommost" | "lowermost" => Row(2),
        "left" | "leftmost" | "lefthand" => Column(0),
        "right" | "rightmost" | "righthand" => Column(2),
        "centre" | "center" | "central" | "middle" => Middle,
        _ => return None,
    })
}

/// The index of the second word of pairs such as `left and right`, which name no single place.
fn both_sides(direction_here: Direction, words: &[String]) -> Option<usize> {
    let [_, and, other, ..] = words else { return None };
    let opposite = match (direction_here, direction(other)?) {
        (Row(a), Row(b)) | (Column(a), Column(b)) => a != b,
        _ => false,
    };
    (opposite && ["and", "or", "to"].contains(&and.as_str())).then_some(2)
}

fn region_at(here: Direction, words: &[String], at: usize) -> Option<Region> {
    let word = |at: usize| words.get(at).map_or(".", String::as_str);
    let [row, column] = match (here, direction(word(at + 1))) {
        (Row(row), Some(Column(column))) | (Column(column), Some(Row(row))) => [row, column],
        (Row(row), Some(Middle)) | (Middle, Some(Row(row))) => [row, 1],
        (Column(column), Some(Middle)) | (Middle, Some(Column(column))) => [1, column],
        (Middle, _) => [1, 1],
        (Row(_) | Column(_), _) if !is_place(words, at) => return None,
        (Row(row), _) => [row, 1],
        (Column(column), _) => [1, column],
    };
    Some(Region::at(row, column))
}

/// Whether the lone direction at `at` is a place.
fn is_place(words: &[String], at: usize) -> bool {
    let next = words.get(at + 1).map_or(".", String::as_str);
    let ends = next.len() == 1 && !next.starts_with(char::is_alphanumeric);
    let article = at > 0 && words[at - 1] == "the";
    PLACES.contains(&next) || (article && (ends || ["of", "and"].contains(&next)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_is_found_by_its_name() {
        for region in Region::ALL {
            assert_eq!(region_of(&format!("In the {region} the fur is flat.")), Some(region));
            assert_eq!(
                region_of(&region.as_str().replace("centre", "center").to_uppercase()),
                Some(region)
            );
        }
    }

    #[test]
    fn other_words_for_places_are_understood() {
        for (text, region) in [
            ("The upper-left corner is smooth", "top left"),
            ("Fur in the lower-right is flat; the top left is not", "bottom right"),
            ("towards the middle of the picture", "centre"),
            ("the central region glows", "centre"),
            ("on the left side of the wing", "centre left"),
            ("The right-hand side bleeds", "centre right"),
            ("a halo at the top, near the sky", "top centre"),
            ("noise along the bottom of the picture", "bottom centre"),
            ("the lower half is blurred", "bottom centre"),
            ("top-middle", "top centre"),
            ("left upper corner", "top left"),
            ("middle right", "centre right"),
            ("it drifts to the right", "centre right"),
        ] {
            assert_eq!(region_of(text), region.parse().ok(), "{text}");
            assert!(region_of(text).is_some(), "{text}");
        }
    }

    #[test]
    fn words_that_mean_no_place_name_none() {
        for text in [
            "",
            "a lower contrast than elsewhere",
            "what is left over does not look right",
            "a halo on top of the body",
            "the left and right wings differ",
            "the top and bottom edges are sharp, right away",
            "everywhere",
        ] {
            assert_eq!(region_of(text), None, "{text}");
        }
    }
}
