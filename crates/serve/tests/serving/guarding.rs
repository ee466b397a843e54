//! The token and the names of this machine.

use axum::body::Body;
use axum::http::Request;
use cifake_serve::{Service, Token};

use crate::support::{Answer, detector, png, send};

async fn asked(service: &Service, path: &str, headers: &[(&str, &str)]) -> Answer {
    let builder = match path.starts_with("/v1/detect") {
        true => Request::post(path),
        false => Request::get(path),
    };
    let builder =
        headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
    send(service, builder.body(Body::from(png(8, 8, 9))).expect("it is a request")).await
}

#[tokio::test]
async fn a_client_without_the_token_gets_nothing_but_what_is_open() {
    let token = Token::new("correct-horse-battery").expect("it is long enough");
    let service = Service::builder(detector()).token(token).build();
    for path in ["/v1/detect", "/v1/model", "/metrics"] {
        for headers in [&[][..], &[("authorization", "Bearer wrong-horse-battery")]] {
            let answer = asked(&service, path, headers).await;
            assert_eq!(answer.problem(), (401, "unauthorized".to_owned()), "{path}");
            assert_eq!(answer.header("www-authenticate"), "Bearer", "{path}");
        }
        let answer =
            asked(&service, path, &[("authorization", "Bearer correct-horse-battery")]).await;
        assert_eq!(answer.status, 200, "{path}");
    }
    for path in ["/", "/page.js", "/healthz", "/openapi.json"] {
        assert_eq!(asked(&service, path, &[]).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_local_service_answers_no_website() {
    let service = Service::builder(detector()).local_only().build();
    for path in ["/", "/v1/detect", "/healthz", "/nothing"] {
        for headers in [
            &[][..],
            &[("host", "evil.example")],
            &[("host", "localhost:8080"), ("origin", "https://evil.example")],
        ] {
            let answer = asked(&service, path, headers).await;
            assert_eq!(answer.problem(), (403, "forbidden_host".to_owned()), "{path} {headers:?}");
        }
    }
    for host in ["localhost", "127.0.0.1:8080", "[::1]:8080"] {
        let answer = asked(&service, "/v1/detect", &[("host", host)]).await;
        assert_eq!(answer.status, 200, "{host}");
        assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control")));
    }
}
