//! Whatever bytes come as a form, they are read or refused.

use bytes::Bytes;
use cifake_serve::uploads;
use testkit::fuzz::{Door, trial};

fn form(bytes: &[u8]) {
    // The first line is the content type, the rest the body.
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (head, body) = bytes.split_at(end);
    let content_type = String::from_utf8_lossy(head);
    let body = Bytes::copy_from_slice(body.get(1..).unwrap_or_default());
    let n_bytes = body.len();
    if let Ok(files) = uploads(&content_type, body, 8) {
        assert!((1..=8).contains(&files.len()));
        assert!(files.iter().map(|file| file.bytes.len()).sum::<usize>() < n_bytes);
    }
}

#[test]
fn form_door_holds() {
    let seeds = [
        "multipart/form-data; boundary=b\n--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.png\"\r\n\
         Content-Type: image/png\r\n\r\n\x01PNG\r\n--b\r\ncontent-disposition: form-data; filename=b\r\n\r\n\r\n--b--\r\n",
        "multipart/form-data; charset=utf-8; boundary=\"a b\"\n--a b \t\r\nContent-Disposition: form-data; \
         name=\"f\"; filename=\"a\\\"b\\\\c%22.png\"\r\n\r\n--a c\r\n--a b--",
    ];
    trial(&Door { name: "form", open: form }, &seeds.map(|text| text.as_bytes().to_vec()));
}
