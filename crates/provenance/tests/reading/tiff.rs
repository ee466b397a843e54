//! Directories of TIFF files, plain and endless.

use std::time::{Duration, Instant};

use provenance::{Credentials, Format, read};

/// The time that a small file may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A field of one value.
type Field = (u16, u32, u32);

const SUB_DIRECTORIES: u16 = 330;
const EXIF: u16 = 34_665;

/// A directory with its fields, and the place of the next one.
fn directory(fields: &[Field], next: u32) -> Vec<u8> {
    let n = u16::try_from(fields.len()).expect("a test's directory is short");
    let mut bytes = n.to_le_bytes().to_vec();
    for (tag, n, value) in fields {
        bytes.extend([tag.to_le_bytes(), 4_u16.to_le_bytes()].concat());
        bytes.extend([n.to_le_bytes(), value.to_le_bytes()].concat());
    }
    bytes.extend(next.to_le_bytes());
    bytes
}

/// A file with `body` behind its head, whose first directory stands at `first`.
fn tiff(first: u32, body: &[Vec<u8>]) -> Vec<u8> {
    [b"II*\0".as_slice(), &first.to_le_bytes(), &body.concat()].concat()
}

/// The reason why no manifest was looked for.
fn refusal(file: &[u8]) -> Option<String> {
    let start = Instant::now();
    let declarations = read(file).expect("the file begins like a TIFF");
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    assert_eq!((declarations.format, declarations.say_ai()), (Format::Tiff, false));
    match declarations.credentials {
        Credentials::Unreadable { reason } => Some(reason),
        credentials => {
            let without =
                if cfg!(feature = "c2pa") { Credentials::None } else { Credentials::NotRead };
            assert_eq!(credentials, without);
            None
        }
    }
}

#[test]
fn pages_with_exif_and_further_directories_are_followed() {
    let exif = directory(&[(256, 1, 1)], 0);
    let exif_at = 8;
    let first_at = exif_at + exif.len() as u32;
    let fields = [(SUB_DIRECTORIES, 1, exif_at), (EXIF, 1, exif_at)];
    let second_at = first_at + directory(&fields, 0).len() as u32;
    let first = directory(&fields, second_at);
    let file = tiff(first_at, &[exif, first, directory(&[(256, 1, 1)], 0)]);
    assert_eq!(refusal(&file), None);
    for end in 8..file.len() {
        let _ = read(&file[..end]);
    }
    assert!(refusal(&file[..file.len() - 1]).is_some_and(|reason| reason.contains("outside")));
}

#[test]
fn pages_that_share_a_long_list_of_directories_are_refused() {
    let empty = directory(&[], 0);
    let list: Vec<u8> = (0..5000).flat_map(|_| 8_u32.to_le_bytes()).collect();
    let list_at = 8 + empty.len() as u32;
    let first_at = list_at + list.len() as u32;
    let page = |n, next| directory(&[(SUB_DIRECTORIES, n, list_at)], next);
    let bytes = page(1, 0).len() as u32;
    let pages = |n: u32| -> Vec<u8> {
        let next = |number: u32| if number == 999 { 0 } else { first_at + bytes * (number + 1) };
        (0..1000).flat_map(|number| page(n, next(number))).collect()
    };
    for n in [5000, 256, 5, u32::MAX] {
        let file = tiff(first_at, &[empty.clone(), list.clone(), pages(n)]);
        assert!(file.len() < 40_000);
        assert!(refusal(&file).is_some_and(|reason| reason.contains("more directories")), "{n}");
    }
    assert_eq!(refusal(&tiff(first_at, &[empty, list, pages(2)])), None);
}

#[test]
fn directories_in_a_circle_or_outside_of_the_file_are_refused() {
    for next in [8, 26] {
        let file = tiff(8, &[directory(&[(256, 1, 1)], 26), directory(&[(256, 1, 1)], next)]);
        assert!(refusal(&file).is_some_and(|reason| reason.contains("more directories")));
    }
    for place in [9, 0x7fff_ffff, u32::MAX] {
        assert!(refusal(&tiff(place, &[])).is_some());
        assert!(refusal(&tiff(8, &[directory(&[(EXIF, 1, place)], 0)])).is_some());
        assert!(refusal(&tiff(8, &[directory(&[(SUB_DIRECTORIES, 3, place)], 0)])).is_some());
    }
}

#[test]
fn a_long_directory_that_is_named_often_is_refused() {
    let long = directory(&[(256, 1, 1); 1000], 0);
    let list: Vec<u8> = (0..256).flat_map(|_| 8_u32.to_le_bytes()).collect();
    let list_at = 8 + long.len() as u32;
    let first_at = list_at + list.len() as u32;
    for (n, is_refused) in [(256, true), (4, false)] {
        let page = directory(&[(SUB_DIRECTORIES, n, list_at)], 0);
        let file = tiff(first_at, &[long.clone(), list.clone(), page]);
        assert_eq!(refusal(&file).is_some(), is_refused, "{n}");
    }
}
