//! Several clients at once.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use cifake_serve::{Limits, Service};
use futures_util::future::join_all;

use crate::support::{Answer, figure, get, png, post_files, post_picture, send};
use crate::toy;

fn service(limits: Limits) -> Service {
    Service::builder(toy::detector()).limits(limits).build()
}

/// A picture of the toy's size.
fn picture(level: u8) -> Vec<u8> {
    png(toy::SIDE, toy::SIDE, level)
}

/// The answer for a picture that comes from `peer`.
async fn from(service: &Service, peer: &str, body: Vec<u8>) -> Answer {
    let peer: SocketAddr = peer.parse().expect("an address");
    let request = Request::post("/v1/detect").extension(ConnectInfo(peer));
    send(service, request.body(Body::from(body)).expect("it is a request")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_of_several_clients_go_through_the_model_together() {
    let service = service(Limits { window: Duration::from_secs(1), ..Limits::default() });
    let requests = (0..16).map(|level| post_picture(&service, "/v1/detect", picture(10 * level)));
    let answers = join_all(requests).await;
    for (level, answer) in answers.iter().enumerate() {
        assert_eq!(answer.status, 200, "{level}");
        let alone = toy::detector().detect_bytes(&picture(10 * level as u8)).expect("it is whole");
        let p_fake = answer.json()["results"][0]["p_fake"].as_f64().expect("a number");
        assert!((p_fake - f64::from(alone.p_fake)).abs() < 1e-5, "{level}");
    }
    assert_eq!(figure(&service, "cifake_pass_pictures_sum").await, 16.0);
    let n_passes = figure(&service, "cifake_pass_pictures_count").await;
    assert!(n_passes <= 4.0, "{n_passes} passes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_picture_waits_for_nobody() {
    let service = service(Limits { window: Duration::from_secs(30), ..Limits::default() });
    let start = Instant::now();
    assert_eq!(post_picture(&service, "/v1/detect", picture(9)).await.status, 200);
    let files: [(&str, &[u8]); 2] = [("a", &picture(9)), ("broken", b"no picture")];
    assert_eq!(post_files(&service, "/v1/detect", &files).await.status, 200);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_of_the_model_reaches_only_its_own_request() {
    let service = service(Limits { window: Duration::from_secs(1), ..Limits::default() });
    let levels = [10, 255, 20, 30];
    let answers = levels.map(|level| post_picture(&service, "/v1/detect", picture(level)));
    let answers = join_all(answers).await;
    for (level, answer) in levels.into_iter().zip(&answers) {
        match level {
            255 => assert_eq!(answer.problem(), (500, "internal".to_owned())),
            _ => assert_eq!(answer.status, 200, "{level}"),
        }
    }
    assert_eq!(figure(&service, "cifake_pictures_total").await, 4.0);
    assert_eq!(figure(&service, "cifake_pictures_failed_total").await, 1.0);
    let explained = post_picture(&service, "/v1/explain", picture(9)).await;
    assert_eq!(explained.problem(), (500, "internal".to_owned()), "it has no map");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_with_many_requests_is_refused_and_others_are_not() {
    let service = service(Limits { max_per_client: 1, ..Limits::default() });
    let requests = ["10.0.0.1:1", "10.0.0.1:2", "10.0.0.2:1"];
    let answers = join_all(requests.map(|peer| from(&service, peer, picture(9)))).await;
    let [first, second, other] = [0, 1, 2].map(|at: usize| &answers[at]);
    assert_eq!((first.status.as_u16(), other.status.as_u16()), (200, 200));
    assert_eq!(second.problem(), (429, "too_many_requests".to_owned()));
    assert_eq!(second.header("retry-after"), "1");
    assert_eq!(from(&service, "10.0.0.1:3", picture(9)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_service_says_when_to_come_again() {
    let limits = Limits { max_in_flight: 1, ..Limits::default() };
    let service = service(limits);
    let answers =
        join_all([9, 9].map(|level| post_picture(&service, "/v1/detect", picture(level)))).await;
    assert_eq!(answers[0].status, 200);
    assert_eq!(answers[1].problem(), (503, "overloaded".to_owned()));
    assert_eq!(answers[1].header("retry-after"), "1");
    let service = self::service(Limits { max_queue: 0, ..Limits::default() });
    let picture = picture(9);
    let files = [("a", picture.as_slice()); 3];
    let answer = post_files(&service, "/v1/detect", &files).await;
    assert_eq!(answer.problem(), (503, "overloaded".to_owned()), "the whole request is refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_beyond_the_time_limit_is_given_up() {
    let service = service(Limits { timeout: toy::PASS / 5, ..Limits::default() });
    let answer = post_picture(&service, "/v1/detect", picture(9)).await;
    assert_eq!(answer.problem(), (504, "timed_out".to_owned()));
    let files: [(&str, &[u8]); 2] = [("late", &picture(9)), ("broken", b"no picture")];
    let answer = post_files(&service, "/v1/detect", &files).await;
    assert_eq!(answer.status, 200, "what is done in time is answered");
    let results = &answer.json()["results"];
    assert_eq!(results[0]["error"]["kind"], "timed_out");
    assert_eq!(results[1]["error"]["kind"], "invalid_input");
    assert_eq!(figure(&service, "cifake_requests_open").await, 0.0);
}

#[tokio::test]
async fn a_closed_service_refuses_further_requests() {
    let service = service(Limits::default());
    let (answer, ()) = tokio::join!(post_picture(&service, "/v1/detect", picture(9)), async {
        tokio::task::yield_now().await;
        service.close();
    });
    assert_eq!(answer.status, 200, "it was accepted before");
    for answer in
        [post_picture(&service, "/v1/detect", picture(9)).await, get(&service, "/healthz").await]
    {
        assert_eq!(answer.problem(), (503, "closing".to_owned()));
    }
}
