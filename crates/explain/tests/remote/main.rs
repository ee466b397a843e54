//! Explainers against a local server that behaves well, badly, and worse.

#![cfg(feature = "remote")]

mod answer;
mod failure;
mod secret;
mod server;

use std::time::Duration;

use cifake::{Label, Picture};
use explain::remote::{ApiKey, GeminiExplainer, Limits, RemoteConfig};
use explain::{Error, Explainer, Explanation, Subject};
use gradcam::HeatMap;
use serde_json::json;

use self::server::{Reply, Server};

const KEY: &str = "AIzaSy-very-secret-0123456789";

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

/// As asked for.
fn lines(n_items: usize) -> String {
    NAMES[..n_items]
        .iter()
        .map(|name| format!("{name}: In the lower left it is wrong.\n"))
        .collect()
}

/// A response of Gemini that holds `text`.
fn says(text: &str) -> Reply {
    let response = json!({
        "candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 10},
    });
    Reply::Full(200, "content-type: application/json\r\n", response.to_string())
}

fn fails(status: u16) -> Reply {
    Reply::Full(status, "", format!("{{\"error\": {{\"code\": {status}}}}}"))
}

fn limits() -> Limits {
    Limits {
        timeout: Duration::from_secs(5),
        tries: 3,
        first_wait: Duration::from_millis(2),
        longest_wait: Duration::from_millis(1500),
        spacing: Duration::ZERO,
        max_response_bytes: 64 << 10,
        max_requests: None,
    }
}

fn gemini(server: &Server, limits: Limits) -> GeminiExplainer {
    let base_url = server.url().to_owned();
    let config = RemoteConfig { base_url, limits, ..RemoteConfig::gemini() };
    GeminiExplainer::new(config, ApiKey::new(KEY).expect("a key")).expect("an address")
}

/// Whether this is shown or said anywhere, the key must not be in it.
fn assert_secret(shown: &str) {
    for part in [KEY, "very-secret", "AIzaSy"] {
        assert!(!shown.contains(part), "the key is shown: {shown}");
    }
}

fn explain(explainer: &dyn Explainer, label: Label) -> Result<Explanation, Error> {
    let pixels: Vec<u8> = (0..32 * 32 * 3).map(|at| (at % 251) as u8).collect();
    let picture = Picture::new(pixels, 32, 32).expect("32x32");
    let map = HeatMap::center_prior(7, 7);
    let subject = Subject {
        picture: &picture,
        map: &map,
        label,
        p_fake: 0.97,
        class: Some(explain::Class::Airplane),
    };
    let result = explainer.explain(&subject);
    match &result {
        Ok(explanation) => assert_secret(&format!("{explanation:?}")),
        Err(error) => {
            assert_secret(&format!("{error:?}"));
            let mut cause: Option<&dyn std::error::Error> = Some(error);
            while let Some(error) = cause {
                assert_secret(&error.to_string());
                cause = error.source();
            }
        }
    }
    result
}

/// The explainer's result for `replies`, and the number of its requests.
fn asked(replies: Vec<Reply>, limits: Limits) -> (Result<Explanation, Error>, usize) {
    let server = Server::new(replies);
    let explainer = gemini(&server, limits);
    let result = explain(&explainer, Label::Fake);
    assert_secret(&format!("{explainer:?}"));
    let n_requests = server.requests().len();
    assert_eq!(explainer.usage().n_requests, n_requests as u64);
    (result, n_requests)
}

fn names(explanation: &Explanation) -> Vec<&'static str> {
    explanation.findings.iter().map(|finding| finding.artifact.name()).collect()
}

fn has_remark(explanation: &Explanation, part: &str) -> bool {
    explanation.remarks.iter().any(|remark| remark.contains(part))
}
