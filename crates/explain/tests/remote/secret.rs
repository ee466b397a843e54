//! The places that the key reaches, and those that it must not reach.

use std::sync::Mutex;

use explain::Error;
use explain::remote::RemoteError;
use serde_json::json;

use super::server::{Reply, Server};
use super::{KEY, asked, assert_secret, fails, limits, lines, says};

#[test]
fn a_redirect_is_not_followed_with_the_key() {
    let elsewhere = Server::new(vec![says(&lines(7))]);
    let location: &'static str = format!("location: {}/\r\n", elsewhere.url()).leak();
    for status in [301, 302, 303, 307, 308] {
        let (result, n_requests) =
            asked(vec![Reply::Full(status, location, String::new())], limits());
        assert!(result.is_err());
        assert_eq!((n_requests, elsewhere.requests().len()), (1, 0), "{status}");
    }
}

#[test]
fn a_key_that_the_server_repeats_is_shown_nowhere() {
    let echo =
        format!("{{\"error\": \"API key {KEY} is wrong, \u{1b}[31mAIza\u{200b}{}\"}}", &KEY[4..]);
    let (result, _) = asked(vec![Reply::Full(401, "", echo)], limits());
    let Err(Error::Remote(RemoteError::Status { body, .. })) = result else { panic!("{result:?}") };
    assert_eq!(body, "{\"error\": \"API key [key] is wrong, [key]\"}");

    let chatty = lines(6).replace("it is wrong", &format!("the key {KEY} is seen"));
    let (result, _) = asked(vec![says(&format!("{KEY}: {KEY}\n{chatty}"))], limits());
    assert!(result.expect("six").findings[0].explanation.contains("[key]"));
    let (result, _) = asked(vec![says(&format!("{KEY}: top left {KEY}"))], limits());
    assert!(matches!(result, Err(Error::Refused { .. })), "{result:?}");
    // Parted by markup, or by escapes of JSON within the answer: reading puts it together again.
    let parted = format!("{}*{}", &KEY[..5], &KEY[5..]);
    let (result, _) = asked(vec![says(&lines(6).replace("it is wrong", &parted))], limits());
    let shown = format!("{:?}", result.expect("six"));
    assert!(!shown.contains(KEY), "{shown}");
    let escaped = format!("\\u{:04x}{}", KEY.as_bytes()[0], &KEY[1..]);
    let json: String = lines(6).replace("it is wrong", &escaped);
    let (result, _) =
        asked(vec![says(&format!("[\"{}\"]", json.trim().replace('\n', "\", \"")))], limits());
    assert!(!format!("{result:?}").contains(KEY), "{result:?}");
    // If a reason is shortened, the key would be cut and no longer found.
    let long = format!("{} {KEY}", "x".repeat(165));
    let blocked = json!({"promptFeedback": {"blockReason": long}}).to_string();
    let (result, _) = asked(vec![Reply::Full(200, "", blocked)], limits());
    assert!(!format!("{result:?}").contains(&KEY[..8]), "{result:?}");
    let blocked = json!({"promptFeedback": {"blockReason": KEY}}).to_string();
    let (result, _) = asked(vec![Reply::Full(200, "", blocked)], limits());
    assert!(matches!(result, Err(Error::Remote(RemoteError::NoText { .. }))), "{result:?}");
    let (result, _) = asked(vec![Reply::Full(200, "", format!("<p>{KEY}</p>"))], limits());
    assert!(matches!(result, Err(Error::Remote(RemoteError::NotJson(_)))), "{result:?}");
}

/// Keeps what is logged at level `debug` and above.
struct Log(Mutex<String>);

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let mut lines = self.0.lock().expect("no thread failed");
        lines.push_str(&format!("{}\n", record.args()));
    }

    fn flush(&self) {}
}

#[test]
fn the_key_is_in_no_log_up_to_debug() {
    static LOG: Log = Log(Mutex::new(String::new()));
    log::set_logger(&LOG).expect("the only logger");
    log::set_max_level(log::LevelFilter::Debug);
    let (result, _) = asked(vec![fails(503), says(&lines(7))], limits());
    assert!(result.is_ok());
    let lines = LOG.0.lock().expect("no thread failed").clone();
    assert!(lines.contains("POST"), "the client logs nothing any more");
    assert_secret(&lines);
}
