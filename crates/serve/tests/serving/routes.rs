//! Every route answers as its description says.

use cifake::Verdict;
use serde_json::Value;

use crate::support::{
    FORM, detector, form, get, png, post, post_files, post_picture, sample, service,
};

#[tokio::test]
async fn a_picture_gets_the_verdict_of_the_detector() {
    let picture = sample("fake-airplane-1.jpg");
    let expected = detector().detect_bytes(&picture).expect("it is whole");
    let answer = post(&service(), "/v1/detect", "image/jpeg", picture).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    let item = &answer.json()["results"][0];
    assert_eq!(item["name"], Value::Null);
    let verdict: Verdict = serde_json::from_value(item.clone()).expect("the fields of a verdict");
    assert_eq!(verdict.answer, expected.answer);
    assert!((verdict.p_fake - expected.p_fake).abs() < 1e-5, "{verdict:?} {expected:?}");
    assert!(item.get("provenance").is_none());
}

#[tokio::test]
async fn files_are_answered_in_their_order_and_a_broken_one_in_its_place() {
    let (fake, real) = (sample("fake-airplane-1.jpg"), sample("real-cat-1.jpg"));
    let cut = &fake[..fake.len() / 2];
    let files: [(&str, &[u8]); 4] =
        [("a <b>.jpg", &fake), ("cut.jpg", cut), ("c.txt", b"no picture"), ("d.jpg", &real)];
    let answer = post_files(&service(), "/v1/detect", &files).await;
    assert_eq!(answer.status, 200);
    let answer = answer.json();
    let results = answer["results"].as_array().expect("a list");
    let names: Vec<_> = results.iter().map(|item| item["name"].as_str().expect("named")).collect();
    assert_eq!(names, ["a <b>.jpg", "cut.jpg", "c.txt", "d.jpg"]);
    for (place, item) in results.iter().enumerate() {
        assert_eq!(item.get("p_fake").is_some(), [0, 3].contains(&place), "{item}");
        assert_eq!(item["error"]["kind"] == "invalid_input", [1, 2].contains(&place), "{item}");
    }
    let expected = detector().detect_bytes(&real).expect("it is whole").p_fake;
    let p_fake = results[3]["p_fake"].as_f64().expect("a number");
    assert!((p_fake - f64::from(expected)).abs() < 1e-5);
}

#[tokio::test]
async fn declarations_are_told_beside_a_verdict_and_change_nothing_in_it() {
    let mut declared = png(40, 30, 100);
    // A text chunk before the last chunk, whose checksum provenance does not read and decoders pass over.
    let text = b"Software\0NovelAI";
    let mut chunk = (text.len() as u32).to_be_bytes().to_vec();
    chunk.extend([b"tEXt".as_slice(), text].concat());
    let checksum = crc32(&chunk[4..]);
    chunk.extend(checksum.to_be_bytes());
    let end = declared.len() - 12;
    declared.splice(end..end, chunk);
    let service = service();
    let plain = post_picture(&service, "/v1/detect", png(40, 30, 100)).await.json();
    let asked = post_picture(&service, "/v1/detect?provenance=1", declared.clone()).await.json();
    let (plain, asked) = (&plain["results"][0], &asked["results"][0]);
    assert_eq!(plain["p_fake"], asked["p_fake"]);
    let alone = post_picture(&service, "/v1/provenance", declared).await.json();
    let alone = &alone["results"][0];
    assert_eq!(alone["format"], "png");
    assert_eq!(alone["claims"], asked["provenance"]["claims"]);
    assert_eq!(alone["credentials"]["state"], "none");
    assert_eq!(alone["credentials"]["text"], "the file holds no C2PA manifest");
    let claim = &alone["claims"][0];
    assert!(claim["text"].as_str().expect("a sentence").contains("NovelAI"), "{alone}");
    assert!(alone["text"].as_str().expect("sentences").contains("The file declares"), "{alone}");
}

#[tokio::test]
async fn a_query_that_is_neither_yes_nor_no_is_refused() {
    let service = service();
    for path in
        ["/v1/detect?provenance=2", "/v1/explain?provenance", "/v1/detect?provenance=1&provenance="]
    {
        let answer = post_picture(&service, path, png(4, 4, 100)).await;
        assert_eq!(answer.problem(), (400, "invalid_input".to_owned()), "{path}");
    }
    for (path, has) in [("?provenance=0", false), ("?a=2&provenance=1", true)] {
        let answer = post_picture(&service, &format!("/v1/detect{path}"), png(4, 4, 100)).await;
        assert_eq!(answer.json()["results"][0].get("provenance").is_some(), has, "{path}");
    }
}

/// PNG, annex D.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    };
    !bytes.iter().fold(u32::MAX, step)
}

#[tokio::test]
async fn an_explanation_has_a_map_reasons_and_words() {
    let files: [(&str, &[u8]); 1] = [("a.jpg", &sample("fake-airplane-1.jpg"))];
    let answer = post_files(&service(), "/v1/explain?provenance=1", &files).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let answer = answer.json();
    let item = &answer["results"][0];
    assert_eq!(item["name"], "a.jpg");
    assert_eq!(item["map"]["method"], "HiResCAM");
    assert!(item.get("path").is_none());
    for picture in [&item["map"]["data"], &item["picture"]] {
        let (kind, data) =
            picture.as_str().and_then(|text| text.split_once(',')).expect("an address");
        assert_eq!(kind, "data:image/png;base64");
        let data = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, data);
        let picture = image::load_from_memory(&data.expect("base64")).expect("a PNG");
        assert_eq!((picture.width(), picture.height()), (32, 32));
    }
    assert!(!item["artifacts"].as_array().expect("a list").is_empty(), "{item}");
    assert!(item["artifacts"][0]["explanation"].is_string());
    assert!(!item["limits"].as_array().expect("a list").is_empty());
    assert!(item["text"].as_str().expect("words").starts_with("FAKE: a.jpg"), "{item}");
    assert_eq!(item["provenance"]["format"], "jpeg");
}

#[tokio::test]
async fn the_model_the_state_and_the_figures_are_told() {
    let service = service();
    let model = get(&service, "/v1/model").await.json();
    let detector = detector();
    assert_eq!(model["name"], detector.model_name());
    assert_eq!(model["sha256"], detector.weights().sha256.as_str());
    assert_eq!((&model["input"]["width"], &model["input"]["height"]), (&32.into(), &32.into()));
    assert_eq!(model["limits"]["max_files"], 100);
    let health = get(&service, "/healthz").await;
    assert_eq!((health.status.as_u16(), &health.body[..]), (200, b"ok".as_slice()));
    let figures = get(&service, "/metrics").await;
    assert!(figures.header("content-type").starts_with("text/plain; version=0.0.4"));
    let text = String::from_utf8_lossy(&figures.body);
    assert!(text.contains("cifake_requests_total{route=\"/v1/model\",status=\"200\"} 1"), "{text}");
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let service = service();
    for (path, kind) in
        [("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")]
    {
        let answer = get(&service, path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.header("content-type").starts_with(kind), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }
}

#[tokio::test]
async fn paths_and_methods_that_do_not_exist_are_told() {
    let service = service();
    assert_eq!(get(&service, "/v1/nothing").await.problem(), (404, "not_found".to_owned()));
    let answer = get(&service, "/v1/detect").await;
    assert_eq!(answer.problem(), (405, "method_not_allowed".to_owned()));
    assert!(answer.header("allow").contains("POST"), "{:?}", answer.headers);
}

#[tokio::test]
async fn answers_have_the_fields_of_their_description() {
    let service = service();
    let document = get(&service, "/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let schemas = &document["components"]["schemas"];
    let picture = sample("fake-airplane-1.jpg");
    let files: [(&str, &[u8]); 2] = [("a.jpg", &picture), ("b", b"no picture")];
    for (path, schema) in
        [("detect", "Detection"), ("explain", "Explanation"), ("provenance", "Provenance")]
    {
        let answer = post(&service, &format!("/v1/{path}"), FORM, form(&files)).await.json();
        check(&answer["results"][0], &schemas[schema], path);
        check(&answer["results"][1], &schemas["Fault"], path);
    }
    let asked = post_files(&service, "/v1/detect?provenance=1", &files).await.json();
    check(&asked["results"][0], &schemas["Detection"], "asked");
    check(&get(&service, "/v1/model").await.json(), &schemas["Model"], "model");
    check(&get(&service, "/nothing").await.json(), &schemas["Problem"], "problem");
}

/// Checks that `value` has the type of `schema` and, if it is an object, no other fields than those.
fn check(value: &Value, schema: &Value, at: &str) {
    if let Some(choices) = schema["anyOf"].as_array() {
        let fits = choices.iter().any(|choice| has_type(value, &choice["type"]));
        assert!(fits, "{at}: {value} is none of {choices:?}");
        return;
    }
    assert!(has_type(value, &schema["type"]), "{at}: {value} is no {schema}");
    if let Some(names) = schema["enum"].as_array() {
        assert!(names.contains(value), "{at}: {value} is none of {names:?}");
    }
    if let (Some(fields), Some(properties)) = (value.as_object(), schema["properties"].as_object())
    {
        for name in schema["required"].as_array().into_iter().flatten() {
            assert!(fields.contains_key(name.as_str().expect("a name")), "{at}: no {name}");
        }
        for (name, value) in fields {
            let property =
                properties.get(name).unwrap_or_else(|| panic!("{at}: {name} is not described"));
            check(value, property, &format!("{at}.{name}"));
        }
    }
    for value in value.as_array().into_iter().flatten() {
        check(value, &schema["items"], &format!("{at}[]"));
    }
}

fn has_type(value: &Value, kind: &Value) -> bool {
    let is = |kind: &Value| match kind.as_str() {
        Some("null") => value.is_null(),
        Some("string") => value.is_string(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_u64(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => false,
    };
    kind.as_array().map_or_else(|| is(kind), |kinds| kinds.iter().any(is))
}
