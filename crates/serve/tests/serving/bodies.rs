//! Bodies that break a rule, and what a client is told of it.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use cifake_serve::Limits;
use futures_util::stream;

use crate::support::{
    FORM, figure, form, limited, png, post, post_files, post_picture, sample, service,
};

fn problem(status: u16, kind: &str) -> (u16, String) {
    (status, kind.to_owned())
}

/// A body of unknown length, in the pieces `pieces`.
fn pieces(pieces: Vec<&'static [u8]>) -> Body {
    let pieces = pieces.into_iter().map(|piece| Ok::<_, Infallible>(Bytes::from_static(piece)));
    Body::from_stream(stream::iter(pieces))
}

#[tokio::test]
async fn a_picture_alone_that_cannot_be_read_is_the_error_of_the_request() {
    let service = service();
    let whole = sample("fake-airplane-1.jpg");
    for (body, expected) in [
        (b"no picture".to_vec(), problem(400, "invalid_input")),
        (whole[..whole.len() / 2].to_vec(), problem(400, "invalid_input")),
        (Vec::new(), problem(400, "invalid_input")),
    ] {
        for path in ["/v1/detect", "/v1/explain"] {
            let answer = post_picture(&service, path, body.clone()).await;
            assert_eq!(answer.problem(), expected, "{path}");
        }
    }
    let answer = post_picture(&service, "/v1/provenance", b"no picture".to_vec()).await;
    assert_eq!(answer.problem(), problem(415, "unsupported"));
    let one = post_files(&service, "/v1/detect", &[("a", b"no picture")]).await;
    assert_eq!(one.problem(), problem(400, "invalid_input"));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_and_without_a_stated_length() {
    let service = limited(Limits { max_body_bytes: 1000, ..Limits::default() });
    let declared = post_picture(&service, "/v1/detect", vec![0; 1001]).await;
    assert_eq!(declared.problem(), problem(413, "too_large"));
    let streamed = pieces(vec![&[0; 600], &[0; 600]]);
    let streamed = post(&service, "/v1/detect", "image/png", streamed).await;
    assert_eq!(streamed.problem(), problem(413, "too_large"));
    let within = post_picture(&service, "/v1/detect", png(32, 32, 9)).await;
    assert_eq!(within.status, 200);
    assert_eq!(figure(&service, "cifake_body_bytes").await, 0.0, "nothing is kept");
}

#[tokio::test]
async fn a_picture_of_too_many_pixels_is_refused_and_one_of_many_files_in_its_place() {
    let service = limited(Limits { max_pixels: 1000, max_files: 3, ..Limits::default() });
    let large = png(40, 30, 9);
    let answer = post_picture(&service, "/v1/detect", large.clone()).await;
    assert_eq!(answer.problem(), problem(413, "too_large"));
    let small = png(9, 9, 9);
    let files: [(&str, &[u8]); 2] = [("large", &large), ("small", &small)];
    let answer = post_files(&service, "/v1/detect", &files).await.json();
    assert_eq!(answer["results"][0]["error"]["kind"], "too_large");
    assert!(answer["results"][1]["p_fake"].is_number());
    let many = [("a", small.as_slice()); 4];
    let answer = post_files(&service, "/v1/detect", &many).await;
    assert_eq!(answer.problem(), problem(413, "too_large"));
}

#[tokio::test]
async fn another_type_of_body_is_refused_with_a_word_on_how_to_send_it() {
    let service = service();
    for kind in ["application/x-www-form-urlencoded", "application/json", "text/plain", ""] {
        let answer = post(&service, "/v1/detect", kind, "a=b").await;
        assert_eq!(answer.problem(), problem(415, "unsupported"), "{kind}");
        assert!(answer.json()["detail"].to_string().contains("-F file=@"), "{kind}");
    }
}

#[tokio::test]
async fn hostile_forms_are_refused() {
    let service = service();
    let picture = png(8, 8, 9);
    let field = "------cifake\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n";
    let end = "------cifake--\r\n";
    let long = format!("------cifake\r\nX: {}\r\n\r\nb\r\n{end}", "x".repeat(1 << 20));
    let whole = form(&[("a.png", &picture)]);
    let cut = whole[..whole.len() - 20].to_vec();
    for (kind, body, expected) in [
        ("multipart/form-data", whole.clone(), problem(400, "invalid_input")),
        ("multipart/form-data; boundary=other", whole, problem(400, "invalid_input")),
        (FORM, cut, problem(400, "invalid_input")),
        (FORM, long.into_bytes(), problem(400, "invalid_input")),
        (FORM, (field.to_owned() + end).into_bytes(), problem(400, "invalid_input")),
        (FORM, (field.repeat(10_000) + end).into_bytes(), problem(400, "invalid_input")),
        (FORM, form(&[("a", b"b".as_slice()); 10_000]), problem(413, "too_large")),
    ] {
        let answer = post(&service, "/v1/detect", kind, body).await;
        assert_eq!(answer.problem(), expected, "{kind}: {:?}", answer.body);
    }
}

#[tokio::test]
async fn a_name_from_the_client_comes_back_as_text() {
    let name = format!("<img src=x onerror=alert(1)>\u{202e}gpj{}.png", "x".repeat(10_000));
    let (picture, service) = (png(8, 8, 9), service());
    let answer = post_files(&service, "/v1/detect", &[(&name, &picture), ("b", b"")]).await;
    assert_eq!(answer.json()["results"][0]["name"], name);
}

#[tokio::test]
async fn a_body_that_pauses_is_given_up() {
    let limits = Limits { pause_timeout: Duration::from_millis(50), ..Limits::default() };
    let service = limited(limits);
    let begun = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"\x89PNG"))]);
    let body = Body::from_stream(stream::StreamExt::chain(begun, stream::pending()));
    let answer = post(&service, "/v1/detect", "image/png", body).await;
    assert_eq!(answer.problem(), problem(408, "too_slow"));
    assert_eq!(figure(&service, "cifake_requests_open").await, 0.0);
    assert_eq!(figure(&service, "cifake_body_bytes").await, 0.0);
}

#[tokio::test]
async fn a_body_that_drips_is_given_up() {
    let limits = Limits { body_timeout: Duration::from_millis(200), ..Limits::default() };
    let service = limited(limits);
    let drips = stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some((Ok::<_, Infallible>(Bytes::from_static(b"x")), ()))
    });
    let answer = post(&service, "/v1/detect", "image/png", Body::from_stream(drips)).await;
    assert_eq!(answer.problem(), problem(408, "too_slow"));
}

#[tokio::test]
async fn bodies_that_fill_the_memory_are_refused_for_now() {
    let service = limited(Limits { max_queue_bytes: 1000, ..Limits::default() });
    let answer = post_picture(&service, "/v1/detect", vec![0; 1001]).await;
    assert_eq!(answer.problem(), problem(503, "overloaded"));
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(post_picture(&service, "/v1/detect", png(8, 8, 9)).await.status, 200);
}
