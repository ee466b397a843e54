//! Failures of servers that do not answer.

use std::error::Error as _;
use std::time::{Duration, Instant};

use cifake::Label;
use explain::Error;
use explain::remote::{Limits, RemoteError};

use super::server::{Reply, Server};
use super::{asked, explain, fails, gemini, limits, lines, says};

#[test]
fn a_slow_server_is_given_up_after_the_tries() {
    let limits = Limits { timeout: Duration::from_millis(300), tries: 2, ..limits() };
    let start = Instant::now();
    let (result, n_requests) = asked(vec![Reply::Silence(Duration::from_secs(3))], limits);
    let Err(Error::Remote(RemoteError::TimedOut { attempt, .. })) = result else {
        panic!("{result:?}")
    };
    assert_eq!((attempt, n_requests), (2, 2));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn a_busy_server_is_left_alone_for_as_long_as_it_asks() {
    let busy = |headers| Reply::Full(429, headers, String::new());
    let start = Instant::now();
    let (result, n_requests) = asked(vec![busy("retry-after: 1\r\n"), says(&lines(7))], limits());
    assert_eq!((result.expect("good at last").findings.len(), n_requests), (7, 2));
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());

    let (result, n_requests) =
        asked(vec![busy("retry-after: 3600\r\n"), says(&lines(7))], limits());
    let Err(Error::Remote(RemoteError::Status { status: 429, retry_after, .. })) = result else {
        panic!("{result:?}")
    };
    assert_eq!((retry_after, n_requests), (Some(Duration::from_secs(3600)), 1));
}

#[test]
fn passing_failures_are_tried_again_and_lasting_ones_are_not() {
    for status in [429, 500, 502, 503, 504] {
        let (result, n_requests) = asked(vec![fails(status), says(&lines(7))], limits());
        assert_eq!((result.is_ok(), n_requests), (true, 2), "{status}");
    }
    let (result, n_requests) = asked(vec![fails(500)], limits());
    let Err(Error::Remote(RemoteError::Status { status, attempt, .. })) = result else {
        panic!("{result:?}")
    };
    assert_eq!((status, attempt, n_requests), (500, 3, 3));
    for status in [400, 401, 403, 404] {
        let (result, n_requests) = asked(vec![fails(status), says(&lines(7))], limits());
        let error = result.expect_err("not asked again").to_string();
        assert!(error.contains(&status.to_string()), "{error}");
        assert_eq!(n_requests, 1, "{status}");
    }
}

#[test]
fn a_huge_body_is_not_read_to_its_end() {
    let huge = Reply::Full(200, "", " ".repeat(80 << 10));
    for reply in [Reply::Endless, huge] {
        let (result, n_requests) = asked(vec![reply], limits());
        let too_large =
            matches!(result, Err(Error::Remote(RemoteError::TooLarge { limit: 65_536 })));
        assert!(too_large, "{result:?}");
        assert_eq!(n_requests, 1);
    }
    let (result, n_requests) = asked(vec![says(&"x".repeat(65_000))], limits());
    assert!(matches!(result, Err(Error::Refused { .. })), "{result:?}");
    assert_eq!(n_requests, 2);
}

#[test]
fn a_broken_connection_is_tried_again() {
    let broken = Reply::BrokenOff("{\"candidates\": [");
    let (result, n_requests) = asked(vec![broken.clone(), says(&lines(7))], limits());
    assert_eq!((result.expect("whole at last").findings.len(), n_requests), (7, 2));
    let (result, n_requests) = asked(vec![broken], limits());
    let Err(Error::Remote(error @ RemoteError::Connection { attempt: 3, .. })) = result else {
        panic!("{result:?}")
    };
    assert_eq!(n_requests, 3);
    assert!(error.source().is_some());
}

#[test]
fn no_more_requests_are_made_than_are_allowed() {
    let limits = Limits { max_requests: Some(2), ..limits() };
    let (result, n_requests) = asked(vec![fails(500)], limits);
    let spent = matches!(result, Err(Error::Remote(RemoteError::Spent { limit: 2 })));
    assert!(spent, "{result:?}");
    assert_eq!(n_requests, 2);
}

#[test]
fn requests_keep_their_distance() {
    let server = Server::new(vec![says(&lines(7))]);
    let explainer = gemini(&server, limits().with_requests_per_minute(600));
    let start = Instant::now();
    for _ in 0..3 {
        explain(&explainer, Label::Fake).expect("seven lines");
    }
    assert!(start.elapsed() >= Duration::from_millis(200), "{:?}", start.elapsed());
}
