//! Requests, and what comes back.

use std::io::Cursor;
use std::path::Path;
use std::sync::LazyLock;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use cifake::Detector;
use cifake_serve::{Limits, Service};
use http_body_util::BodyExt;
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::Value;
use tower::ServiceExt;

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the answer is JSON")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The kind of the problem, which has every field of a problem document.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["type"], "about:blank");
        assert_eq!(problem["status"], self.status.as_u16());
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
        (self.status.as_u16(), problem["kind"].as_str().expect("a kind").to_owned())
    }
}

/// The shipped detector.
pub(crate) fn detector() -> Detector {
    static DETECTOR: LazyLock<Detector> =
        LazyLock::new(|| tinyvit::embedded().expect("the shipped weights are whole"));
    DETECTOR.clone()
}

/// A service of the shipped detector with `limits`.
pub(crate) fn limited(limits: Limits) -> Service {
    Service::builder(detector()).limits(limits).build()
}

/// A service of the shipped detector.
pub(crate) fn service() -> Service {
    limited(Limits::default())
}

/// The answer of `service` to `request`.
pub(crate) async fn send(service: &Service, request: Request<Body>) -> Answer {
    let response = service.router().oneshot(request).await.expect("a router always answers");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("answers are whole").to_bytes();
    Answer { status: parts.status, headers: parts.headers, body }
}

/// The answer to `GET path`.
pub(crate) async fn get(service: &Service, path: &str) -> Answer {
    let request = Request::get(path).header("host", "localhost");
    send(service, request.body(Body::empty()).expect("it is a request")).await
}

/// The answer to `POST path` with a body of the type `content_type`.
pub(crate) async fn post(
    service: &Service,
    path: &str,
    content_type: &str,
    body: impl Into<Body>,
) -> Answer {
    let request = Request::post(path).header("host", "localhost");
    let request = request.header("content-type", content_type);
    send(service, request.body(body.into()).expect("it is a request")).await
}

/// The answer to `POST path` with the bytes of a picture.
pub(crate) async fn post_picture(service: &Service, path: &str, picture: Vec<u8>) -> Answer {
    post(service, path, "application/octet-stream", picture).await
}

/// The answer to `POST path` with named files.
pub(crate) async fn post_files(service: &Service, path: &str, files: &[(&str, &[u8])]) -> Answer {
    post(service, path, FORM, form(files)).await
}

/// The content type of a [`form`].
pub(crate) const FORM: &str = "multipart/form-data; boundary=----cifake";

/// A form of named files.
pub(crate) fn form(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content) in files {
        let head = format!(
            "------cifake\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n"
        );
        body.extend([head.as_bytes(), content, b"\r\n"].concat());
    }
    body.extend(b"------cifake--\r\n");
    body
}

/// A sample of the repository.
pub(crate) fn sample(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/sample").join(name);
    std::fs::read(path).expect("the repository holds it")
}

/// A PNG of one color.
pub(crate) fn png(width: u32, height: u32, level: u8) -> Vec<u8> {
    let mut png = Cursor::new(Vec::new());
    RgbImage::from_pixel(width, height, Rgb([level; 3]))
        .write_to(&mut png, ImageFormat::Png)
        .expect("a vector takes it");
    png.into_inner()
}

/// The value of a line of the figures.
pub(crate) async fn figure(service: &Service, name: &str) -> f64 {
    let answer = get(service, "/metrics").await;
    let text = String::from_utf8(answer.body.to_vec()).expect("figures are text");
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in\n{text}"))
}
