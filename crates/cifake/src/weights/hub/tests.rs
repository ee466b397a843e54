use std::net::TcpListener;
use std::thread::JoinHandle;

use super::*;

const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";
const CONTENT: &[u8] = b"the weights";

/// Answers one request with `response` and hands back the request's first line.
fn serve_once(response: Vec<u8>) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the test connects");
        let (mut request, mut byte) = (Vec::new(), [0]);
        while !request.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).expect("a request ends with an empty line");
            request.push(byte[0]);
        }
        // A client that gives up early closes the connection, which is no failure here.
        stream.write_all(&response).ok();
        String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned()
    });
    (format!("http://{address}"), server)
}

fn response(status: &str, announced: usize, content: &[u8]) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {announced}\r\nConnection: close\r\n\r\n");
    [head.as_bytes(), content].concat()
}

fn hub(endpoint: &str, folder: &Path) -> Hub {
    Hub::new(REVISION, folder).expect("a pinned revision").with_endpoint(endpoint)
}

fn fetch(hub: &Hub, sha256: Option<&str>) -> Result<PathBuf, Error> {
    hub.fetch("owner/model", "sub/model.safetensors", sha256)
}

/// The answer to one fetch from a server that sends `response`, after which nothing may be left.
fn refusal(response: Vec<u8>, sha256: Option<&str>, max_bytes: u64) -> Error {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (endpoint, server) = serve_once(response);
    let hub = hub(&endpoint, folder.path()).with_max_bytes(max_bytes);
    let error = fetch(&hub, sha256).expect_err("the answer is bad");
    server.join().expect("the server answered");
    let kept = folder.path().join("owner--model").join(REVISION).join("sub");
    assert_eq!(std::fs::read_dir(kept).expect("it was created").count(), 0);
    error
}

#[test]
fn a_file_is_downloaded_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (endpoint, server) = serve_once(response("200 OK", CONTENT.len(), CONTENT));
    let hub = hub(&endpoint, folder.path());
    let hash = crate::weights::sha256_hex(CONTENT);
    let path = fetch(&hub, Some(&hash)).expect("the server has it");
    assert_eq!(std::fs::read(&path).expect("it was written"), CONTENT);
    let request = server.join().expect("the server answered");
    let expected = format!("GET /owner/model/resolve/{REVISION}/sub/model.safetensors HTTP/1.1");
    assert_eq!(request, expected);
    assert_eq!(fetch(&hub, Some(&hash)).expect("no server is needed"), path);
    assert_eq!(fetch(&hub.with_offline(true), None).expect("it is there"), path);
}

#[test]
fn a_truncated_download_leaves_nothing() {
    let error = refusal(response("200 OK", CONTENT.len() + 5, CONTENT), None, 100);
    assert!(matches!(error, Error::Hub(HubError::Download { .. })), "{error}");
}

#[test]
fn a_missing_file_is_an_error_with_its_address() {
    let error = refusal(response("404 Not Found", 0, b""), None, 100);
    assert!(matches!(error, Error::Hub(HubError::Download { .. })));
    let message = error.to_string();
    assert!(message.contains("404") && message.contains("owner/model/resolve"), "{message}");
}

#[test]
fn a_wrong_hash_leaves_nothing() {
    let wrong = "0".repeat(64);
    let error = refusal(response("200 OK", CONTENT.len(), CONTENT), Some(&wrong), 100);
    assert!(matches!(error, Error::Hub(HubError::HashMismatch { .. })), "{error}");
}

#[test]
fn a_file_over_the_limit_leaves_nothing() {
    for announced in ["Content-Length: 11\r\n", "Transfer-Encoding: chunked\r\n"] {
        let head = format!("HTTP/1.1 200 OK\r\n{announced}Connection: close\r\n\r\n");
        let body: &[u8] =
            if announced.starts_with('T') { b"b\r\nthe weights\r\n0\r\n\r\n" } else { CONTENT };
        let error = refusal([head.as_bytes(), body].concat(), None, 10);
        assert!(matches!(error, Error::FileTooLarge { bytes: 11, limit: 10, .. }), "{error}");
    }
}

#[test]
fn offline_says_what_to_put_where() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let hub = hub("http://127.0.0.1:1", folder.path()).with_offline(true);
    let error = fetch(&hub, None).expect_err("nothing is there");
    assert!(matches!(error, Error::Hub(HubError::Offline { .. })));
    let path = hub.path("owner/model", "sub/model.safetensors").expect("plain names");
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
}

#[test]
fn a_branch_is_no_pinned_revision() {
    let refused = Hub::new("main", Path::new("."));
    assert!(matches!(refused, Err(Error::Hub(HubError::RevisionNotPinned { .. }))));
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let hub = hub("http://127.0.0.1:1", Path::new("cache"));
    for name in ["../x", "a/../b", "/etc/passwd", "a//b", "", "a\\b", "a?b", "a/..", "%2e%2e/a"] {
        assert!(
            matches!(hub.path("a/b", name), Err(Error::Hub(HubError::HubName { .. }))),
            "{name}"
        );
        assert!(matches!(hub.path(name, "f"), Err(Error::Hub(HubError::HubName { .. }))), "{name}");
    }
}
