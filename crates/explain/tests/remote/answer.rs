//! Answers of models: as asked for, nearly, and not at all.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cifake::Label;
use explain::remote::{ApiKey, GeminiExplainer, OpenAiExplainer, RemoteConfig, Usage};
use explain::{Error, Explanation, Refusal};
use serde_json::{Value, json};

use super::server::{Reply, Server};
use super::{
    KEY, NAMES, asked, assert_secret, explain, gemini, has_remark, limits, lines, names, says,
};

#[test]
fn a_good_answer_takes_one_request() {
    let server = Server::new(vec![says(&lines(7))]);
    let explainer = gemini(&server, limits());
    let explanation = explain(&explainer, Label::Fake).expect("seven lines");
    assert_eq!(names(&explanation), NAMES[..7]);
    assert_eq!(explanation.remarks, [""; 0]);
    for finding in &explanation.findings {
        assert_eq!(finding.said_by, ["gemini:gemini-flash-latest"]);
        assert_eq!(finding.region, Some(gradcam::Region::BottomLeft));
    }
    let expected = Usage { n_requests: 1, n_prompt_tokens: 100, n_answer_tokens: 10 };
    assert_eq!(explainer.usage(), expected);

    let request = server.requests().remove(0);
    let first_line = request.head.lines().next().unwrap_or_default();
    assert_eq!(first_line, "POST /v1beta/models/gemini-flash-latest:generateContent HTTP/1.1");
    assert!(request.head.contains(&format!("x-goog-api-key: {KEY}")));
    assert!(!request.body.to_string().contains(KEY));
}

#[test]
fn picture_and_overlay_are_sent_in_one_size_with_the_list_of_the_class() {
    let server = Server::new(vec![says(&lines(7))]);
    explain(&gemini(&server, limits()), Label::Fake).expect("seven lines");
    let parts = server.requests()[0].body["contents"][0]["parts"].clone();
    let [picture, overlay] = [0, 1].map(|at| decoded(&parts[at]["inlineData"]["data"]));
    let sent: Vec<u8> = (0..32 * 32 * 3).map(|at| (at % 251) as u8).collect();
    assert_eq!((picture.dimensions(), picture.as_raw()), ((32, 32), &sent));
    assert_eq!(overlay.dimensions(), (32, 32));
    assert_ne!(overlay.get_pixel(16, 16), picture.get_pixel(16, 16));
    let text = parts[2]["text"].as_str().expect("the prompt");
    assert!(text.contains("\nImplausible aerodynamic structures\n") && !text.contains("paw"));
}

#[test]
fn a_larger_side_repeats_pixels() {
    let server = Server::new(vec![says(&lines(7))]);
    let config = RemoteConfig {
        base_url: server.url().to_owned(),
        side: 90,
        limits: limits(),
        ..RemoteConfig::gemini()
    };
    let explainer = GeminiExplainer::new(config, ApiKey::new(KEY).expect("a key")).expect("local");
    explain(&explainer, Label::Fake).expect("seven lines");
    let picture =
        decoded(&server.requests()[0].body["contents"][0]["parts"][0]["inlineData"]["data"]);
    assert_eq!(picture.dimensions(), (96, 96));
    for (x, y) in [(0, 0), (5, 94), (95, 95)] {
        let at = (y / 3 * 32 + x / 3) * 3;
        assert_eq!(u32::from(picture.get_pixel(x, y).0[0]), at % 251);
    }
}

fn decoded(base64: &Value) -> image::RgbImage {
    let bytes = STANDARD.decode(base64.as_str().expect("a text")).expect("base64");
    image::load_from_memory(&bytes).expect("a PNG").into_rgb8()
}

#[test]
fn a_real_picture_is_asked_nothing_about() {
    let server = Server::new(vec![says(&lines(7))]);
    let explainer = gemini(&server, limits());
    assert_eq!(explain(&explainer, Label::Real).expect("nothing to say"), Explanation::default());
    assert_eq!((server.requests().len(), explainer.usage()), (0, Usage::default()));
}

#[test]
fn open_ai_is_asked_in_its_own_form_with_and_without_a_key() {
    let response = json!({"choices": [{"message": {"content": lines(7)}}]});
    let server = Server::new(vec![Reply::Full(200, "", response.to_string())]);
    for key in [Some(ApiKey::new(KEY).expect("a key")), None] {
        let base_url = format!("{}/v1/", server.url());
        let config =
            RemoteConfig { limits: limits(), ..RemoteConfig::open_ai(base_url, "llava:13b") };
        let explainer = OpenAiExplainer::new(config, key).expect("local");
        let explanation = explain(&explainer, Label::Fake).expect("seven lines");
        assert_secret(&format!("{explainer:?}"));
        assert_eq!(explanation.findings[6].said_by, ["openai:llava:13b"]);
    }
    let requests = server.requests();
    assert!(requests.iter().all(|r| r.head.starts_with("POST /v1/chat/completions HTTP/1.1")));
    assert!(requests[0].head.contains(&format!("authorization: Bearer {KEY}")));
    assert!(!requests[1].head.to_lowercase().contains("authorization"));
    let content = &requests[0].body["messages"][0]["content"];
    let url = content[0]["image_url"]["url"].as_str().unwrap_or_default();
    assert!(url.starts_with("data:image/png;base64,iVBOR"), "{url}");
}

#[test]
fn prose_and_wrong_names_are_asked_for_once_more() {
    let wrong = format!("{}Bad vibes: All over.", lines(4));
    for (first, complaint) in [
        ("The picture looks fake, mostly in the middle.", "explains 0 artifacts"),
        (wrong.as_str(), "not in the list: `Bad vibes`"),
    ] {
        let server = Server::new(vec![says(first), says(&lines(6))]);
        let explanation = explain(&gemini(&server, limits()), Label::Fake).expect("then six");
        assert_eq!(names(&explanation), NAMES[..6]);
        assert!(has_remark(&explanation, complaint), "{:?}", explanation.remarks);
        let requests = server.requests();
        let text = |at: usize| requests[at].body["contents"][0]["parts"][2]["text"].to_string();
        assert_eq!(requests.len(), 2);
        assert!(!text(0).contains("An earlier answer") && text(1).contains(complaint));
    }
}

#[test]
fn a_model_that_does_not_learn_is_an_error_that_keeps_its_answer() {
    let answer = format!("I am \u{1b}[31msorry\u{202e}. {}", "Really sorry. ".repeat(1000));
    let (result, n_requests) = asked(vec![says(&answer)], limits());
    let Err(Error::Refused { explainer, answer, source }) = result else { panic!("{result:?}") };
    assert_eq!((explainer.as_str(), n_requests), ("gemini:gemini-flash-latest", 2));
    assert!(answer.starts_with("I am sorry. Really sorry.") && answer.chars().count() <= 4001);
    assert!(matches!(source, Refusal::TooFew { found: 0, .. }));
}

#[test]
fn markdown_eight_items_long_texts_and_html_are_mended_without_a_second_request() {
    let bold: String = NAMES.iter().map(|name| format!("* **{name}**: Top left.\n")).collect();
    let long = lines(6).replace("it is wrong.", &"word ".repeat(200));
    let html = lines(6).replace("wrong", "<img src=x onerror=alert(1)>");
    for (answer, n_findings, remark) in
        [(bold, 7, Some("after the first 7")), (long, 6, Some("were cut to 50")), (html, 6, None)]
    {
        let (result, n_requests) = asked(vec![says(&answer)], limits());
        let explanation = result.expect("mended");
        assert_eq!((explanation.findings.len(), n_requests), (n_findings, 1), "{answer}");
        assert!(remark.is_none_or(|remark| has_remark(&explanation, remark)), "{answer}");
        let words = |text: &str| text.split_whitespace().count();
        assert!(explanation.findings.iter().all(|finding| words(&finding.explanation) <= 50));
    }
}

#[test]
fn broken_json_is_used_or_asked_for_again() {
    let pairs: Vec<String> =
        NAMES.iter().map(|name| format!(r#""{name}": "On the left side.""#)).collect();
    let whole = format!("{{{}}}", pairs.join(", "));
    let late = whole[..whole.len() - 15].to_owned();
    let early = whole[..whole.len() / 3].to_owned();
    let (result, n_requests) = asked(vec![says(&late)], limits());
    assert_eq!((result.expect("seven before the end").findings.len(), n_requests), (7, 1));
    let (result, n_requests) = asked(vec![says(&early), says(&whole)], limits());
    let explanation = result.expect("whole at last");
    assert!(has_remark(&explanation, "breaks off after 2"), "{:?}", explanation.remarks);
    assert_eq!((explanation.findings.len(), n_requests), (7, 2));
}

#[test]
fn an_answer_cut_at_its_longest_length_says_so() {
    let response = json!({"candidates": [
        {"content": {"parts": [{"text": lines(6)}]}, "finishReason": "MAX_TOKENS"},
    ]});
    let (result, _) = asked(vec![Reply::Full(200, "", response.to_string())], limits());
    assert!(has_remark(&result.expect("six"), "longest length"));
}
