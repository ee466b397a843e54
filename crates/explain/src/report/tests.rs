//! Every form of a report, of ordinary and of hostile text.

use cifake::{Answer, Label, Picture, Scope};
use gradcam::{HeatMap, Method, Region};
use proptest::prelude::*;

use super::*;
use crate::{Artifact, Evidence, Explanation, Finding, Subject};

/// Elements that have no end.
const VOID: [&str; 4] = ["!doctype", "meta", "img", "rect"];

fn artifact(name: &str) -> Artifact {
    name.parse().expect("it is in the list")
}

/// Of a picture 3 wide and 2 high that was 640 by 480, with two artifacts, one of them measured.
fn report(text: &str, region: Region, values: Vec<f32>) -> Report {
    let picture = Picture::new((0..18).map(|level| level * 14).collect(), 3, 2).expect("3x2");
    let map = HeatMap::scaled(values, 2, 3);
    let subject =
        Subject { picture: &picture, map: &map, label: Label::Fake, p_fake: 0.9375, class: None };
    let provenance = Provenance {
        path: text.to_owned(),
        width: 640,
        height: 480,
        model: text.to_owned(),
        threshold: 0.9,
        method: Method::GradCam,
    };
    let evidence = Evidence { measure: text.to_owned(), value: 0.0625, percentile: 99.5 };
    let finding = |name: &str, region: Option<Region>, evidence: Option<Evidence>| Finding {
        artifact: artifact(name),
        region,
        evidence,
        explanation: text.to_owned(),
        said_by: vec![text.to_owned()],
    };
    let findings = vec![
        finding("Artificial smoothness", Some(region), Some(evidence)),
        finding("Ghosting", None, None),
    ];
    let explanation = Explanation { findings, remarks: vec![text.to_owned()] };
    let mut report = Report::new(provenance, &subject, explanation);
    report.limits.push(text.to_owned());
    report.declaring([text.to_owned()])
}

fn ordinary() -> Report {
    report("cat", Region::TopLeft, vec![1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
}

#[test]
fn the_fields_of_json_keep_their_names_and_order() {
    let json: serde_json::Value = serde_json::from_str(&ordinary().json()).expect("JSON");
    let limits = json["limits"].as_array().expect("a list");
    assert_eq!(limits.len(), 7);
    let line = ordinary().json();
    let (before, after) = line.split_once(r#""limits":["#).expect("limits");
    assert_eq!(
        before,
        concat!(
            r#"{"path":"cat","label":"FAKE","p_fake":0.9375,"width":640,"height":480,"#,
            r#""input":"resized","model":"cat","threshold":0.9,"answer":"FAKE","#,
            r#""familiarity":null,"scope":"resized","artifacts":["#,
            r#"{"name":"Artificial smoothness","region":"top left","#,
            r#""evidence":{"measure":"cat","value":0.0625,"percentile":99.5},"#,
            r#""explanation":"cat","said_by":["cat"]},"#,
            r#"{"name":"Ghosting effects: Semi-transparent duplicates of elements","region":null,"#,
            r#""evidence":null,"explanation":"cat","said_by":["cat"]}],"map":"Grad-CAM","#,
            r#""regions":[{"name":"top left","share":0.6666666666666666},"#,
            r#"{"name":"centre left","share":0.3333333333333333},"#,
            r#"{"name":"top centre","share":0.0},"#,
            r#"{"name":"top right","share":0.0},{"name":"centre","share":0.0},"#,
            r#"{"name":"centre right","share":0.0},{"name":"bottom left","share":0.0},"#,
            r#"{"name":"bottom centre","share":0.0},{"name":"bottom right","share":0.0}],"#,
            r#""remarks":["cat"],"#,
        )
    );
    assert!(after.ends_with(concat!(r#"],"version":""#, env!("CARGO_PKG_VERSION"), r#""}"#)));
}

#[test]
fn a_contest_list_holds_each_artifact_once() {
    let mut explanation = ordinary().explanation;
    let again = Finding { explanation: "again".to_owned(), ..explanation.findings[0].clone() };
    explanation.findings.push(again);
    let empty = Explanation::default();
    let list = contest_explanations([(7, &explanation), (9, &empty)]);
    assert_eq!(
        list.replace(['\n', ' '], ""),
        concat!(
            r#"[{"index":7,"explanation":{"Artificialsmoothness":"cat","#,
            r#""Ghostingeffects:Semi-transparentduplicatesofelements":"cat"}},"#,
            r#"{"index":9,"explanation":{}}]"#
        )
    );
    let list = contest_predictions([(1, Label::Fake), (2, Label::Real)]);
    assert_eq!(
        list.replace(['\n', ' '], ""),
        r#"[{"index":1,"prediction":"fake"},{"index":2,"prediction":"real"}]"#
    );
}

#[test]
fn text_has_a_verdict_a_table_and_sentences() {
    let report = ordinary();
    let text = report.to_string();
    let expected = "\
FAKE: cat
The model puts the probability that this picture was generated at 93.8 %; FAKE
from 90 %.
Grad-CAM: strongest in top left 67 %, centre left 33 %.

   WHERE          VALUE      CAMERA PICTURES  MEASURE
1  Artificial smoothness
   top left       0.0625     above 99.5 %     cat
   cat
   (cat)

2  Ghosting effects: Semi-transparent duplicates of elements
   everywhere     -          -                not measured
   cat
   (cat)

What the file declares
- cat

Remarks
- cat

What this cannot tell
- FAKE is an estimate, and no proof that a picture was generated.
";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.ends_with(&format!("cat, cifake-explain {}", report.version)), "{text}");
}

#[test]
fn a_file_that_was_not_asked_declares_nothing_and_one_that_was_changes_no_answer() {
    let title = "What the file declares";
    let declaring = ordinary().declaring(["AI generated the picture".to_owned()]);
    let silent = declaring.clone().declaring([]);
    for (said, unsaid) in [
        (declaring.text(80), silent.text(80)),
        (declaring.markdown(), silent.markdown()),
        (declaring.html(), silent.html()),
    ] {
        assert!(said.contains(title) && said.contains("AI generated the picture"), "{said}");
        assert!(!unsaid.contains(title) && !unsaid.contains("AI generated"), "{unsaid}");
    }
    assert_eq!(declaring.json(), silent.json());
}

#[test]
fn limits_are_those_of_the_picture() {
    let has = |report: &Report, part: &str| report.limits.iter().any(|limit| limit.contains(part));
    let mut report = ordinary();
    for part in
        ["3\u{d7}2 pixels", "640\u{d7}480", "CIFAKE", "without a measurement", "Grad-CAM marks"]
    {
        assert!(has(&report, part), "{part}: {:?}", report.limits);
    }
    report.provenance.width = 3;
    report.provenance.height = 2;
    report.explanation.findings.clear();
    report.label = Label::Real;
    let report = report.answering(Answer::Real, None, Scope::Native);
    for part in ["resized", "CIFAKE", "without a measurement", "estimate"] {
        assert!(!has(&report, part), "{part}: {:?}", report.limits);
    }
    assert!(has(&report, "not that the picture is authentic"), "{:?}", report.limits);
}

#[test]
fn an_unsure_report_says_so_and_why_in_every_form() {
    let close = ordinary().answering(Answer::Unsure, Some(40.0), Scope::Resized);
    let strange = ordinary().answering(Answer::Unsure, Some(0.25), Scope::Unfamiliar);
    for (report, part) in [(&close, "too close to the line"), (&strange, "0.2 % are as strange")] {
        let json: serde_json::Value = serde_json::from_str(&report.json()).expect("JSON");
        assert_eq!((&json["answer"], &json["label"]), (&"UNSURE".into(), &"FAKE".into()));
        let text = report.text(400);
        assert!(text.starts_with("UNSURE: cat\nThe model does not know"), "{text}");
        assert!(report.markdown().starts_with("# UNSURE: cat\n\nThe model does not know"));
        let page = report.html();
        assert!(page.contains("<h1>UNSURE</h1>") && page.contains("class=\"report unsure\""));
        assert_eq!(unbalanced(&page), None);
        // Markdown and HTML write some of the characters otherwise.
        let words = part.trim_start_matches(|c: char| !c.is_alphabetic());
        for form in [text, report.markdown(), page] {
            assert!(form.contains(words), "{words}: {form}");
        }
        assert!(report.limits[0].starts_with("UNSURE means"), "{:?}", report.limits);
    }
    assert!(
        strange.html().contains("unfamiliar") && strange.json().contains("\"familiarity\":0.25")
    );
    let page = html_page(&[Ok(close), Ok(strange), Ok(ordinary())]);
    assert!(page.contains("<h1>3 pictures: 1 FAKE, 0 REAL, 2 UNSURE</h1>"));
}

#[test]
fn a_flat_map_names_no_region() {
    let report = report("cat", Region::Center, vec![1.0; 6]);
    assert!(report.regions.is_empty() && !report.text(80).contains("strongest"));
    let page = report.html();
    assert_eq!(page.matches("<img ").count(), 1);
    assert!(page.contains("Grad-CAM found no place"));
}

/// Of a photograph of 2,048 by 512 pixels, shown as it was given.
fn photograph() -> Report {
    let mut report = ordinary();
    (report.provenance.width, report.provenance.height) = (2048, 512);
    let levels = (0..2048 * 512).flat_map(|at| [(at % 251) as u8, (at / 2048 % 256) as u8, 90]);
    report.showing(&Picture::new(levels.collect(), 2048, 512).expect("2048x512"))
}

#[test]
fn a_photograph_is_shown_at_its_own_aspect_under_its_map() {
    let report = photograph();
    assert_eq!((report.shown().width(), report.shown().height()), (1024, 256));
    assert_eq!(report.overlay(512).dimensions(), (1024, 256));
    let page = report.html();
    assert_eq!(page.matches("width=\"1024\" height=\"256\"").count(), 2, "itself and its map");
    assert_eq!(page.matches("width=\"3\" height=\"2\"").count(), 1, "the model's input");
    assert!(page.contains("The picture, 2048\u{d7}512 pixels"));
    let mut native = ordinary();
    (native.provenance.width, native.provenance.height) = (3, 2);
    let picture = native.picture.clone();
    assert!(native.showing(&picture).original.is_none(), "the model saw these pixels");
}

#[test]
fn a_picture_that_failed_has_an_entry() {
    let failed = || Failure { path: "<b>.png".to_owned(), error: "no such file".to_owned() };
    let page = html_page(&[Ok(ordinary()), Err(failed())]);
    assert!(page.contains("<h1>2 pictures: 1 FAKE, 0 REAL, 1 not explained</h1>"));
    assert!(page.contains("id=\"picture-2\"") && page.contains("no such file"));
    assert!(page.contains("&lt;b&gt;.png") && !page.contains("<b>.png"));
    let alone = html_page(&[Err(failed())]);
    assert!(alone.contains("<title>Not explained: &lt;b&gt;.png</title>"));
    assert_eq!((unbalanced(&page), unbalanced(&alone)), (None, None));
}

#[test]
fn a_page_needs_nothing_from_outside() {
    for page in [
        ordinary().html(),
        html_page(&[Ok(ordinary()), Ok(ordinary())]),
        html_page(&[]),
        photograph().html(),
    ] {
        assert!(page.contains("default-src 'none'") && !page.contains("<script"));
        for attribute in ["src=\"", "href=\"", "url("] {
            let mut values = page.split(attribute).skip(1);
            assert!(values.all(|value| {
                let is_inside = ["data:image/png;", "data:image/jpeg;", "#"];
                is_inside.iter().any(|start| value.starts_with(start))
            }));
        }
        assert!(
            !page.contains("http://") && !page.contains("https://") && !page.contains("@import")
        );
        assert_eq!(unbalanced(&page), None);
    }
}

#[test]
fn a_page_of_several_leads_to_each() {
    let page = html_page(&[Ok(ordinary()), Ok(ordinary()), Ok(ordinary())]);
    assert!(page.contains("<h1>3 pictures: 3 FAKE, 0 REAL</h1>"));
    for number in 1..=3 {
        for link in [format!("href=\"#picture-{number}\""), format!("id=\"picture-{number}\"")] {
            assert_eq!(page.matches(&link).count(), 1, "{link}");
        }
    }
    assert_eq!(ordinary().html().matches("<h1>").count(), 1);
}

#[test]
fn numbers_that_are_none_stay_inside_their_bars() {
    let mut report = ordinary();
    report.p_fake = f32::NAN;
    report.provenance.threshold = 7.0;
    report.explanation.findings[0].evidence =
        Some(Evidence { measure: "x".to_owned(), value: f64::INFINITY, percentile: -3.0 });
    let page = report.html();
    for (at, _) in page.match_indices("style=\"") {
        let style = page[at + 7..].split('"').next().unwrap_or_default();
        assert!(
            !style.contains("NaN")
                && !style.contains("inf")
                && !style.contains("700.")
                && !style.contains("-3."),
            "{style}"
        );
    }
}

/// The first tag of a page that ends what was not begun, or is never ended.
fn unbalanced(page: &str) -> Option<String> {
    let mut open: Vec<&str> = Vec::new();
    for tag in page.split('<').skip(1) {
        let name = tag.trim_start_matches('/').split([' ', '>', '\n', '/']).next()?;
        if let Some(rest) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Some(rest.to_owned());
            }
        } else if !VOID.contains(&name) {
            open.push(name);
        }
    }
    open.pop().map(str::to_owned)
}

/// Any text, often with what markup and terminals are steered by.
fn hostile() -> impl Strategy<Value = String> {
    let parts = prop_oneof![
        any::<String>(),
        "[<>&\"'`|*_\\[\\]()!#\\\\ \\n\\t\u{1b}\u{9b}\u{202e}\u{200b}a-z;/:=]{0,20}",
        Just("</style><script>alert(1)</script>".to_owned()),
        Just("\" onerror=\"alert(1)".to_owned()),
        Just("--></title><img src=x>".to_owned()),
    ];
    prop::collection::vec(parts, 1..4).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_text_becomes_markup(text in hostile(), is_several: bool) {
        let page = |text: &str| {
            let report = report(text, Region::Center, vec![1.0, 0.5, 0.0, 0.0, 0.0, 0.0]);
            let failed = Err(Failure { path: text.to_owned(), error: text.to_owned() });
            if is_several { html_page(&[Ok(report.clone()), failed, Ok(report)]) } else { report.html() }
        };
        let (plain, found) = (page("x"), page(&text));
        for mark in ['<', '>', '"', '\''] {
            prop_assert_eq!(found.matches(mark).count(), plain.matches(mark).count(), "{}", mark);
        }
        let entities = ["amp;", "lt;", "gt;", "quot;", "#39;"];
        let mut after = found.split('&').skip(1);
        prop_assert!(after.all(|rest| entities.iter().any(|entity| rest.starts_with(entity))));
        prop_assert_eq!(unbalanced(&found), None);
    }

    #[test]
    fn no_text_steers_a_terminal_or_breaks_a_line(
        text in hostile(),
        width in terminal::MIN_WIDTH..160,
    ) {
        let report = report(&text, Region::Center, vec![1.0, 0.5, 0.0, 0.0, 0.0, 0.0]);
        for line in report.text(width).lines() {
            prop_assert!(line.chars().count() <= width, "{line}");
            prop_assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
        }
    }

    #[test]
    fn no_text_becomes_markdown(text in hostile()) {
        let lines = |text: &str| -> Vec<usize> {
            let report = report(text, Region::Center, vec![1.0, 0.5, 0.0, 0.0, 0.0, 0.0]);
            let page = report.markdown().replace("\\\\", "").replace("\\|", "");
            page.lines().map(|line| line.matches('|').count()).collect()
        };
        prop_assert_eq!(lines(&text), lines("x"));
    }
}
