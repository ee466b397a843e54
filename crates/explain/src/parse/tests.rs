use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

const NAMES: [&str; 8] = [
    "Artificial smoothness",
    "Ghosting effects: Semi-transparent duplicates of elements",
    "Texture repetition patterns",
    "Inconsistent shadow directions",
    "Unnatural color transitions",
    "Blurred boundaries in fine details",
    "Loss of fine detail in complex structures",
    "Synthetic material appearance",
];

/// A line for each of the first `n_items` names.
fn lines(n_items: usize) -> String {
    let line = |name: &&str| format!("{name}: In the top left the wing is wrong.\n");
    NAMES[..n_items].iter().map(line).collect()
}

fn any_number() -> Rules {
    Rules::default().with_least(1)
}

fn names(explanation: &Explanation) -> Vec<&'static str> {
    explanation.findings.iter().map(|finding| finding.artifact.name()).collect()
}

fn has_remark(explanation: &Explanation, part: &str) -> bool {
    explanation.remarks.iter().any(|remark| remark.contains(part))
}

#[test]
fn an_answer_as_asked_for_needs_no_repair() {
    let explanation = parse(&lines(7), &Rules::default()).expect("as asked for");
    assert_eq!(names(&explanation), NAMES[..7]);
    assert_eq!(explanation.remarks, [""; 0]);
    for finding in explanation.findings {
        assert_eq!(finding.explanation, "In the top left the wing is wrong.");
        assert_eq!(finding.region, Some(gradcam::Region::TopLeft));
        assert!(finding.evidence.is_none() && finding.said_by.is_empty());
    }
}

#[test]
fn five_are_too_few_and_what_was_named_instead_is_quoted() {
    let answer = format!("{}Sparkly eyes: In the centre.\n**Bad vibes**: All over.", lines(5));
    let refusal = parse(&answer, &Rules::default()).expect_err("five");
    let unlisted = vec!["`Sparkly eyes`".to_owned(), "`Bad vibes`".to_owned()];
    assert_eq!(refusal, Refusal::TooFew { found: 5, least: 6, unlisted });
    assert!(refusal.to_string().ends_with("not in the list: `Sparkly eyes`, `Bad vibes`"));
    assert!(parse(&lines(6), &Rules::default()).is_ok());
}

#[test]
fn more_than_seven_are_cut_to_the_first() {
    let explanation = parse(&lines(8), &Rules::default()).expect("eight");
    assert_eq!(names(&explanation), NAMES[..7]);
    assert!(has_remark(&explanation, "left out after the first 7: 1 artifact"));
}

#[test]
fn names_are_read_whatever_their_spelling_and_once() {
    let answer = "ARTIFICIAL-SMOOTHNESS: One.\nghosting.: Two.\nArtificial smoothness: Three.";
    let explanation = parse(answer, &any_number()).expect("two");
    assert_eq!(names(&explanation), NAMES[..2]);
    assert_eq!(explanation.findings[0].explanation, "One.");
    assert!(has_remark(&explanation, "`ARTIFICIAL-SMOOTHNESS` was read as"));
    assert!(has_remark(&explanation, "`Artificial smoothness` was named again"));
}

#[test]
fn long_explanations_are_cut() {
    let answer = format!("Artificial smoothness: {}", "word ".repeat(200));
    let explanation = parse(&answer, &any_number()).expect("one");
    assert_eq!(explanation.findings[0].explanation.split_whitespace().count(), MAX_WORDS);
    assert!(has_remark(&explanation, "the 200 words on `Artificial smoothness` were cut to 50"));
    let answer = format!("Artificial smoothness: {}", "o".repeat(2000));
    let explanation = parse(&answer, &any_number()).expect("one");
    assert!(has_remark(&explanation, "a word of the text on `Artificial smoothness` was too long"));
}

#[test]
fn json_in_a_fence_is_read_in_its_order() {
    let pairs: Vec<String> =
        NAMES[..6].iter().map(|name| format!("\"{name}\": \"At the top.\"")).collect();
    let answer = format!("Here it is:\n```json\n{{\n  {}\n}}\n```\nDone.", pairs.join(",\n  "));
    let explanation = parse(&answer, &Rules::default()).expect("six");
    assert_eq!(names(&explanation), NAMES[..6]);
    assert!(has_remark(&explanation, "was JSON"));
    assert_eq!(explanation.findings[0].region, Some(gradcam::Region::TopCenter));
}

#[test]
fn broken_json_is_used_if_enough_stands_before_the_end() {
    let item =
        |name: &&str| format!(r#"{{"artifact_name": "{name}", "explanation": "Left side."}}"#);
    let answer = format!("[{}", NAMES.map(|name| item(&name)).join(", "));
    let cut = &answer[..answer.len() - 30];
    let explanation = parse(cut, &Rules::default()).expect("seven before the end");
    assert_eq!(explanation.findings.len(), 7);
    assert!(has_remark(&explanation, "broke off"));
    let refusal = parse(&answer[..answer.len() / 2], &Rules::default()).expect_err("too early");
    assert!(matches!(refusal, Refusal::BrokenOff { found: 1..=5, least: 6 }), "{refusal}");
}

#[test]
fn json_beside_lines_does_not_hide_them() {
    for answer in [
        format!("{{\"verdict\": \"FAKE\"}}\n{}", lines(6)),
        format!("{}{{\"Artificial smoothness\": \"again\"}}", lines(6)),
    ] {
        let explanation = parse(&answer, &Rules::default()).expect("six lines");
        assert_eq!(names(&explanation), NAMES[..6]);
        assert_eq!(explanation.findings[0].explanation, "In the top left the wing is wrong.");
    }
}

#[test]
fn what_a_class_cannot_have_is_left_out() {
    let answer = "Anatomically incorrect paw structures: Paws.\nArtificial smoothness: Hull.";
    let rules = Rules::for_class(Some(cifake::Class::Ship)).with_least(1);
    let explanation = parse(answer, &rules).expect("one");
    assert_eq!(names(&explanation), NAMES[..1]);
    assert!(has_remark(&explanation, "`Anatomically incorrect paw structures` is not in the list"));
    assert_eq!(parse(answer, &any_number()).expect("both").findings.len(), 2);
}

#[test]
fn hidden_characters_are_taken_out_and_html_is_left() {
    let answer =
        "Artificial smoothness: <script>alert(1)</script>\u{1b}[31m top\u{202e} left\u{0}.";
    let explanation = parse(answer, &any_number()).expect("one");
    assert_eq!(explanation.findings[0].explanation, "<script>alert(1)</script> top left.");
    assert!(has_remark(&explanation, "control characters"));
}

#[test]
fn thoughts_are_no_findings() {
    let answer =
        "<think>Texture repetition patterns: perhaps.</think>\nArtificial smoothness: Yes.";
    let explanation = parse(answer, &any_number()).expect("one");
    assert_eq!(names(&explanation), NAMES[..1]);
}

#[test]
fn empty_prose_and_endless_answers_are_refused() {
    let rules = Rules::default();
    for empty in ["", " \n\t ", "\u{1b}[0m\u{200b}"] {
        assert_eq!(parse(empty, &rules), Err(Refusal::Empty));
    }
    let prose = "I am sorry, but the picture is too small. Smoothness is all I see.";
    assert!(matches!(parse(prose, &rules), Err(Refusal::TooFew { found: 0, .. })));
    let endless = "x".repeat(MAX_ANSWER_BYTES + 1);
    assert_eq!(parse(&endless, &rules), Err(Refusal::TooLong { bytes: MAX_ANSWER_BYTES + 1 }));
    assert!(matches!(parse(&endless[1..], &rules), Err(Refusal::TooFew { .. })));
}

#[test]
fn the_author_of_an_answer_does_not_decide_how_much_is_remarked() {
    let nonsense: String = (0..3000).map(|i| format!("Nonsense {i}: text.\n")).collect();
    let explanation = parse(&(lines(6) + &nonsense), &Rules::default()).expect("six");
    assert_eq!(explanation.remarks.len(), 21);
    let Err(Refusal::TooFew { unlisted, .. }) = parse(&nonsense, &Rules::default()) else {
        panic!("nonsense was accepted")
    };
    assert_eq!(unlisted.len(), MAX_QUOTED);
}

/// The rules that every accepted answer must keep to.
fn assert_kept(explanation: &Explanation, rules: &Rules) {
    let findings = &explanation.findings;
    assert!((rules.least..=MAX_FINDINGS).contains(&findings.len()));
    for (i, finding) in findings.iter().enumerate() {
        assert!(rules.allowed.contains(&finding.artifact));
        assert!(findings[..i].iter().all(|other| other.artifact != finding.artifact));
        assert!((1..=MAX_WORDS).contains(&finding.explanation.split_whitespace().count()));
    }
    let texts = findings.iter().map(|finding| &finding.explanation).chain(&explanation.remarks);
    for text in texts {
        assert!(!text.chars().any(char::is_control), "{text:?}");
        assert!(!text.contains(['\u{202e}', '\u{2066}', '\u{200b}']), "{text:?}");
    }
}

/// The answer as lines, as an object or as a list of objects.
fn written(form: u8, n_items: usize) -> String {
    let items = &NAMES[..n_items];
    let join = |write: &dyn Fn(&str) -> String, by: &str| {
        items.iter().map(|name| write(name)).collect::<Vec<_>>().join(by)
    };
    match form {
        0 => lines(n_items),
        1 => format!("{{{}}}", join(&|name| format!(r#""{name}": "In the centre.""#), ", ")),
        _ => format!(
            "[{}]",
            join(&|name| format!(r#"{{"name": "{name}", "text": "Left."}}"#), ",\n")
        ),
    }
}

proptest! {
    #[test]
    fn any_text_is_answered(answer in "\\PC*", junk in any::<Vec<char>>()) {
        for text in [answer, junk.into_iter().collect()] {
            if let Ok(explanation) = parse(&text, &any_number()) {
                assert_kept(&explanation, &any_number());
            }
        }
    }

    #[test]
    fn texts_of_the_marks_that_matter_are_answered(
        parts in proptest::collection::vec(
            prop_oneof![
                Just("{"), Just("}"), Just("["), Just("]"), Just("\""), Just(":"), Just(","),
                Just("\\"), Just("\n"), Just("- "), Just("**"), Just("```json\n"),
                Just("name"), Just("\"text\""),
                Just("Artificial smoothness"), Just("Ghosting effects"), Just("\u{1b}["), Just("é"),
                Just("\\u001b"), Just("upper left"), Just(" and "), Just("the"), Just("<think>"),
            ],
            0..60,
        )
    ) {
        let rules = any_number();
        if let Ok(explanation) = parse(&parts.concat(), &rules) {
            assert_kept(&explanation, &rules);
        }
    }

    #[test]
    fn a_mutated_answer_is_kept_to_the_rules(
        form in 0u8..3,
        n_items in 0usize..=8,
        edits in proptest::collection::vec((any::<Index>(), any::<char>(), 0u8..4), 0..12),
    ) {
        let mut text: Vec<char> = written(form, n_items).chars().collect();
        for (place, c, kind) in edits {
            let at = place.index(text.len() + 1);
            match kind {
                0 => text.insert(at, c),
                1 if at < text.len() => text[at] = c,
                2 if at < text.len() => drop(text.remove(at)),
                3 if at % 4 == 0 => text.truncate(at),
                _ => {}
            }
        }
        let text: String = text.into_iter().collect();
        let rules = Rules::default();
        match parse(&text, &rules) {
            Ok(explanation) => assert_kept(&explanation, &rules),
            Err(refusal) => prop_assert!(!refusal.to_string().contains('\n')),
        }
    }

    #[test]
    fn an_unbroken_answer_is_accepted_in_every_form(form in 0u8..3, n_items in 6usize..=8) {
        let explanation = parse(&written(form, n_items), &Rules::default()).expect("enough");
        prop_assert_eq!(names(&explanation), NAMES[..n_items.min(7)].to_vec());
    }
}
