//! Protection of a local service from websites.
//!
//! A website may name a host of its own whose address becomes that of this machine (DNS rebinding). The browser
//! then takes the local service for a part of the website. The name of the host in the request gives it away.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{HOST, ORIGIN};

/// Whether a request was sent to a name of this machine, and not by a website elsewhere.
pub(crate) fn is_local(request: &Request) -> bool {
    let named = |value: &HeaderValue| value.to_str().is_ok_and(is_local_name);
    let mut hosts = request.headers().get_all(HOST).iter().peekable();
    let target = request.uri().authority().map(|authority| authority.as_str());
    (target.is_some() || hosts.peek().is_some())
        && target.is_none_or(is_local_name)
        && hosts.all(named)
        && request.headers().get_all(ORIGIN).iter().all(is_local_origin)
}

fn is_local_origin(value: &HeaderValue) -> bool {
    let host = value.to_str().ok().and_then(|text| text.split_once("://"));
    host.is_some_and(|(_, host)| is_local_name(host))
}

/// Whether `host`, with or without a port, is this machine.
fn is_local_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let literal = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(name) => name.parse().map(IpAddr::V6),
        None => name.parse().map(IpAddr::V4),
    };
    literal.map_or_else(|_| name.eq_ignore_ascii_case("localhost"), is_loopback)
}

/// Whether only programs of this machine reach `address`; an IPv4 address may be written as one of IPv6.
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(uri: &str, headers: &[(&str, &str)]) -> Request {
        let builder = Request::builder().uri(uri);
        let add = |builder: axum::http::request::Builder, &(name, value): &(&str, &str)| {
            builder.header(name, value)
        };
        headers.iter().fold(builder, add).body(Body::empty()).expect("it is a request")
    }

    #[test]
    fn only_names_of_this_machine_are_local() {
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1:1",
            "127.0.0.2",
            "[::1]:8080",
            "[::1]",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(is_local(&request("/", &[("host", host)])), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example:80",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "",
            "::1",
            "127.0.0.1:80@evil.example",
        ] {
            assert!(!is_local(&request("/", &[("host", host)])), "{host}");
        }
        assert!(!is_local(&request("/", &[])));
        assert!(!is_local(&request("/", &[("host", "localhost"), ("host", "evil.example")])));
        assert!(!is_local(&request("http://evil.example/", &[("host", "localhost")])));
    }

    #[test]
    fn a_request_by_a_website_is_not_local() {
        let by =
            |origin| is_local(&request("/", &[("host", "localhost:8080"), ("origin", origin)]));
        assert!(by("http://localhost:8080") && by("http://127.0.0.1:3000"));
        assert!(!by("https://evil.example") && !by("null") && !by("http://localhost.evil.example"));
    }
}
