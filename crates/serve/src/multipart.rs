//! The files of a `multipart/form-data` body (RFC 7578).
//!
//! A whole body is split in one pass, without a copy. A parser of streams would look for the end of
//! a long header again with every piece that arrives.

use bytes::Bytes;
use memchr::memmem;
use percent_encoding::percent_decode_str;

/// Longest head of a part, in bytes.
const MAX_HEAD: usize = 16 << 10;
/// Parts without a file that a body may hold beside its files.
pub(crate) const MAX_FIELDS: usize = 32;
/// Longest boundary, in bytes (RFC 2046, section 5.1.1).
const MAX_BOUNDARY: usize = 70;

/// A file that a client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The file's name as the client gives it: untrusted text. `None` where the whole body is the file, or a part
    /// has none.
    pub name: Option<String>,
    /// The content.
    pub bytes: Bytes,
}

/// The fault of a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MultipartError {
    /// The content type names no boundary, or one that is not allowed.
    #[error("the content type multipart/form-data names no boundary of 1 to {MAX_BOUNDARY} bytes")]
    Boundary,
    /// The boundary begins no line of the body.
    #[error("no line of the body begins with the boundary of its content type")]
    Start,
    /// The body ends before the closing boundary.
    #[error("the body ends early: the closing boundary is missing")]
    End,
    /// The head of a part is too long or has no end.
    #[error("the head of part {part} has no end within {MAX_HEAD} bytes")]
    Head {
        /// The part, counted from 1.
        part: usize,
    },
    /// The head of a part is not that of a form.
    #[error("part {part} has no `Content-Disposition: form-data`")]
    Disposition {
        /// The part, counted from 1.
        part: usize,
    },
    /// There are too many files.
    #[error("the body holds more than {max_files} files")]
    TooManyFiles {
        /// The most files that are accepted.
        max_files: usize,
    },
    /// There are too many fields.
    #[error("the body holds more than {MAX_FIELDS} fields beside its files")]
    TooManyFields,
    /// There is no file.
    #[error(
        "the body holds no part with a file name or the type of a picture; with curl, write -F file=@photo.jpg"
    )]
    NoFile,
}

/// The files of `body`, whose content type is `content_type`, in their order: at least one and at most
/// `max_files`. A part is a file if it has a file name, or a content type that is not text.
///
/// # Errors
///
/// If the body breaks the format's rules.
///
/// ```
/// use cifake_serve::uploads;
///
/// let body = "--x\r\nContent-Disposition: form-data; name=a; filename=\"b.png\"\r\n\r\n123\r\n--x--\r\n";
/// let files = uploads("multipart/form-data; boundary=x", body.into(), 10)?;
/// assert_eq!(files[0].name.as_deref(), Some("b.png"));
/// assert_eq!(files[0].bytes, "123");
/// # Ok::<(), cifake_serve::MultipartError>(())
/// ```
pub fn uploads(
    content_type: &str,
    body: Bytes,
    max_files: usize,
) -> Result<Vec<Upload>, MultipartError> {
    let boundary = boundary(content_type).ok_or(MultipartError::Boundary)?;
    let delimiter = format!("\r\n--{boundary}");
    let finder = memmem::Finder::new(&delimiter);
    // The first delimiter may have no line before it. Lines before it are passed over (RFC 2046, section 5.1.1).
    let mut at = match body.starts_with(&delimiter.as_bytes()[2..]) {
        true => delimiter.len() - 2,
        false => finder.find(&body).ok_or(MultipartError::Start)? + delimiter.len(),
    };
    let (mut files, mut n_parts) = (Vec::new(), 0);
    loop {
        let rest = after_delimiter(&body[at..])?;
        let Some(skipped) = rest else { break };
        at += skipped;
        n_parts += 1;
        let length = finder.find(&body[at..]).ok_or(MultipartError::End)?;
        let (head, content) = split(&body[at..at + length], n_parts)?;
        match Part::of(head).ok_or(MultipartError::Disposition { part: n_parts })? {
            Part::Field => {}
            Part::File(name) => {
                let bytes = body.slice(at + content..at + length);
                files.push(Upload { name, bytes });
            }
        }
        if files.len() > max_files {
            return Err(MultipartError::TooManyFiles { max_files });
        }
        if n_parts - files.len() > MAX_FIELDS {
            return Err(MultipartError::TooManyFields);
        }
        at += length + delimiter.len();
    }
    if files.is_empty() { Err(MultipartError::NoFile) } else { Ok(files) }
}

/// The bytes to skip behind a delimiter, up to the next part; `None` behind the closing one.
fn after_delimiter(rest: &[u8]) -> Result<Option<usize>, MultipartError> {
    if rest.starts_with(b"--") {
        return Ok(None);
    }
    // Padding by white space is allowed (RFC 2046, section 5.1.1).
    let padding = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match rest[padding..].starts_with(b"\r\n") {
        // The line's end stays: a part without a head begins with an empty line.
        true => Ok(Some(padding)),
        false => Err(MultipartError::End),
    }
}

/// The head of a part, and the place at which its content begins.
fn split(part: &[u8], number: usize) -> Result<(&[u8], usize), MultipartError> {
    let head = &part[..part.len().min(MAX_HEAD)];
    let end = memmem::find(head, b"\r\n\r\n").ok_or(MultipartError::Head { part: number })?;
    Ok((&part[..end], end + 4))
}

/// The boundary that a content type names.
fn boundary(content_type: &str) -> Option<&str> {
    let (_, parameters) = content_type.split_once(';')?;
    let value = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then_some(value.trim())
    })?;
    let boundary = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
    let is_allowed = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    let is_valid = (1..=MAX_BOUNDARY).contains(&boundary.len()) && boundary.bytes().all(is_allowed);
    is_valid.then_some(boundary)
}

/// A part of a form.
enum Part {
    /// A value without a file.
    Field,
    /// A file, and its name if it has one.
    File(Option<String>),
}

impl Part {
    /// The part with this head; `None` where the head is not that of a form.
    fn of(head: &[u8]) -> Option<Self> {
        let head = String::from_utf8_lossy(head);
        let value = header(&head, "content-disposition")?;
        let (kind, mut rest) = value.split_once(';').unwrap_or((value, ""));
        if !kind.trim().eq_ignore_ascii_case("form-data") {
            return None;
        }
        let (mut file, mut extended) = (None, None);
        while let Some((name, value, behind)) = parameter(rest) {
            match name.to_ascii_lowercase().as_str() {
                "filename" => file = file.or(Some(value)),
                "filename*" => extended = extended.or(decoded(&value)),
                _ => {}
            }
            rest = behind;
        }
        let file = file.or(extended);
        let media = header(&head, "content-type").unwrap_or("text/plain").to_ascii_lowercase();
        let is_file = file.is_some() || !media.starts_with("text/");
        Some(if is_file { Self::File(file) } else { Self::Field })
    }
}

/// The name in a parameter that tells its encoding (RFC 8187), which some clients send instead of a plain one.
fn decoded(value: &str) -> Option<String> {
    let (_, name) = value.split_once('\'')?.1.split_once('\'')?;
    Some(percent_decode_str(name).decode_utf8_lossy().into_owned())
}

/// The value of the first header `name` of a part.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.split("\r\n").find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.trim().eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// The name and value of the first of `parameters`, and those behind it.
fn parameter(parameters: &str) -> Option<(&str, String, &str)> {
    let (name, rest) = parameters.split_once('=')?;
    let name = name.trim_matches([' ', '\t', ';']);
    let Some(quoted) = rest.trim_start().strip_prefix('"') else {
        let (value, behind) = rest.split_once(';').unwrap_or((rest, ""));
        return Some((name, value.trim().to_owned(), behind));
    };
    let (mut value, mut is_escaped) = (String::new(), false);
    for (at, c) in quoted.char_indices() {
        match c {
            // curl escapes both; a path of Windows keeps its other backslashes.
            '"' | '\\' if is_escaped => value.push(c),
            '"' => return Some((name, unescaped(&value), &quoted[at + 1..])),
            '\\' => {
                is_escaped = true;
                continue;
            }
            _ if is_escaped => value.extend(['\\', c]),
            _ => value.push(c),
        }
        is_escaped = false;
    }
    None
}

/// A name without the escapes of browsers (HTML, "multipart form data").
fn unescaped(name: &str) -> String {
    name.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=\"b b\"";

    fn part(head: &str, content: &str) -> String {
        format!("--b b\r\n{head}\r\n\r\n{content}\r\n")
    }

    fn read(body: &str) -> Result<Vec<Upload>, MultipartError> {
        uploads(TYPE, Bytes::from(body.to_owned()), 3)
    }

    #[test]
    fn lines_before_the_first_part_are_passed_over() {
        let file = part("Content-Disposition: form-data; filename*=UTF-8''%c3%a9.png", "1");
        for before in ["\r\n", "a preamble\r\n", "--b\r\n"] {
            let files = read(&format!("{before}{file}--b b--")).expect("it is whole");
            assert_eq!(
                (files[0].name.as_deref(), &files[0].bytes[..]),
                (Some("\u{e9}.png"), b"1".as_slice())
            );
        }
    }

    #[test]
    fn files_come_in_their_order_and_fields_are_passed_over() {
        let body = [
            part("content-disposition:form-data; name=\"a\"; filename=\"a.png\"", "1\r\n--b 2"),
            part("Content-Disposition: form-data; name=note", "no file"),
            part("Content-Disposition: form-data; name=c\r\nContent-Type: text/plain", "no file"),
            part("X: y\r\nContent-Disposition: form-data; filename=b.png; name=b", ""),
            part("Content-Disposition: form-data; name=d\r\nContent-Type: image/png", "3"),
        ];
        let files = read(&(body.concat() + "--b b--")).expect("they are whole");
        let found: Vec<_> = files.iter().map(|f| (f.name.as_deref(), &f.bytes[..])).collect();
        let expected: [(_, &[u8]); 3] =
            [(Some("a.png"), b"1\r\n--b 2"), (Some("b.png"), b""), (None, b"3")];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_name_is_what_a_browser_or_curl_meant() {
        for (sent, meant) in [
            ("\"a%22b.png\"", "a\"b.png"),
            ("\"a\\\"b.png\"", "a\"b.png"),
            ("\"C:\\dir\\a.png\"", "C:\\dir\\a.png"),
            ("\"a;b=c.png\"", "a;b=c.png"),
            ("\"<img src=x onerror=alert(1)>\"", "<img src=x onerror=alert(1)>"),
            ("\"\"", ""),
        ] {
            let head = format!("Content-Disposition: form-data; name=\"f\"; filename={sent}");
            let files = read(&(part(&head, "1") + "--b b--")).expect("it is whole");
            assert_eq!(files[0].name.as_deref(), Some(meant), "{sent}");
        }
    }

    #[test]
    fn broken_bodies_are_told_apart() {
        let file = part("Content-Disposition: form-data; filename=a", "1");
        let end = "--b b--\r\n";
        let head = "x".repeat(MAX_HEAD);
        for (body, expected) in [
            (String::new(), MultipartError::Start),
            (file.clone(), MultipartError::End),
            (file[..20].to_owned(), MultipartError::End),
            (end.to_owned(), MultipartError::NoFile),
            (part(&head, "1") + end, MultipartError::Head { part: 1 }),
            (part("A: b", "1") + end, MultipartError::Disposition { part: 1 }),
            (
                part("Content-Disposition: attachment", "") + end,
                MultipartError::Disposition { part: 1 },
            ),
            (file.repeat(4) + end, MultipartError::TooManyFiles { max_files: 3 }),
            (
                part("Content-Disposition: form-data", "").repeat(33) + end,
                MultipartError::TooManyFields,
            ),
        ] {
            assert_eq!(read(&body), Err(expected), "{body:.60}");
        }
    }

    #[test]
    fn a_boundary_that_is_missing_or_hostile_is_refused() {
        let long = format!("multipart/form-data; boundary={}", "x".repeat(MAX_BOUNDARY + 1));
        for content_type in
            ["multipart/form-data", "multipart/form-data; boundary=", "a; boundary=\u{e9}", &long]
        {
            let read = uploads(content_type, Bytes::from_static(b"--"), 3);
            assert_eq!(read, Err(MultipartError::Boundary), "{content_type}");
        }
    }
}
