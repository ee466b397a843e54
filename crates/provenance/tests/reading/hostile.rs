//! Files that try to deceive or to exhaust a reader.

use std::time::{Duration, Instant};

use provenance::{Declarations, Error, read, read_file};

use crate::writer::*;

/// The time that a file of a few MiB may take; an endless or quadratic loop takes far longer.
const PATIENCE: Duration = Duration::from_secs(20);

const A1111: &str = "a cat\nSteps: 20, Sampler: Euler a, Seed: 1, Model: sd15";

/// A file of each container with a declaration in it.
fn declaring() -> Vec<Vec<u8>> {
    let comment = [b"ASCII\0\0\0", A1111.as_bytes()].concat();
    let block = exif(&[(0x010f, 2, b"Canon\0".to_vec()), (0x9286, 7, comment)], true);
    let packet = xmp("trainedAlgorithmicMedia");
    vec![
        jpeg(&[exif_segment(&block), xmp_segment(&packet)]),
        png(&[
            text("parameters", A1111),
            packed_text("parameters", &zlib(A1111.as_bytes())),
            international_text(XMP_KEY, &packet),
            chunk(b"eXIf", &block),
        ]),
        webp(&[riff_chunk(b"EXIF", &block), riff_chunk(b"XMP ", packet.as_bytes())]),
    ]
}

fn silent() -> Vec<Vec<u8>> {
    vec![jpeg(&[]), png(&[]), webp(&[])]
}

fn declarations(file: &[u8]) -> Declarations {
    let start = Instant::now();
    let declarations = read(file).expect("the file begins like a picture");
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    declarations
}

#[test]
fn bytes_behind_the_picture_change_nothing() {
    let packet = xmp("trainedAlgorithmicMedia");
    let comment = [b"ASCII\0\0\0", A1111.as_bytes()].concat();
    let block = exif(&[(0x9286, 7, comment)], false);
    let appendices = [
        b"parameters\0Steps: 1".to_vec(),
        text("parameters", A1111),
        international_text(XMP_KEY, &packet),
        chunk(b"caBX", b"jumb"),
        packet.clone().into_bytes(),
        exif_segment(&block),
        xmp_segment(&packet),
        segment(0xeb, b"JP\0\x01\0\0\0\x01"),
        riff_chunk(b"EXIF", &block),
        riff_chunk(b"XMP ", packet.as_bytes()),
        declaring().concat(),
    ];
    for file in silent().into_iter().chain(declaring()) {
        let bare = declarations(&file);
        for appendix in &appendices {
            let longer = [file.as_slice(), appendix].concat();
            assert_eq!(declarations(&longer), bare);
        }
    }
}

#[test]
fn thirteen_bytes_that_look_like_metadata_change_nothing() {
    for bytes in [b"parameters\0a\n", b"c2pa jumb c2p", b"Exif\0\0II*\0\x08\0\0"] {
        for file in silent() {
            let longer = [file.as_slice(), bytes].concat();
            assert_eq!(declarations(&longer), declarations(&file));
            assert_eq!(declarations(&longer).claims, []);
        }
    }
}

#[test]
fn every_prefix_of_a_file_is_answered() {
    for file in declaring() {
        assert!(declarations(&file).say_ai());
        for end in 0..file.len() {
            let _ = read(&file[..end]);
        }
    }
}

#[test]
fn every_changed_byte_of_a_file_is_answered() {
    for file in declaring() {
        for at in 0..file.len() {
            for value in [0, 0x7f, 0xff] {
                let mut changed = file.clone();
                changed[at] = value;
                let _ = read(&changed);
            }
        }
    }
}

#[test]
fn a_cut_file_keeps_its_claims_and_names_the_fault() {
    let files = declaring();
    let cut = declarations(&files[1][..files[1].len() - 20]);
    assert!(cut.say_ai());
    assert!(cut.damage.is_some());
}

#[test]
fn a_packed_bomb_is_not_unpacked() {
    let bomb = zlib(&vec![b'a'; 16 << 20]);
    assert!(bomb.len() < 100_000);
    let international = [XMP_KEY.as_bytes(), b"\0\x01\0\0\0", &bomb].concat();
    for packed in [packed_text("parameters", &bomb), chunk(b"iTXt", &international)] {
        let declarations = declarations(&png(&vec![packed; 12]));
        assert_eq!(declarations.claims, []);
        assert!(declarations.damage.is_some());
    }
}

#[test]
fn a_picture_of_four_billion_pixels_in_65_bytes_costs_nothing() {
    // Width and height of 65,535, color with alpha, and pixels that never come.
    let side = 65_535_u32.to_be_bytes();
    let head = [side.as_slice(), &side, &[8, 6, 0, 0, 0]];
    let signature = b"\x89PNG\r\n\x1a\n".as_slice();
    let pixels = chunk(b"IDAT", &zlib(b"")[..8]);
    let bomb = [signature, &chunk(b"IHDR", &head.concat()), &pixels, &chunk(b"IEND", b"")].concat();
    assert_eq!(bomb.len(), 65);
    assert_eq!(declarations(&bomb).claims, []);
    // As a thumbnail inside of metadata it is not even looked at.
    let held = [b"JP\0\x01\0\0\0\x01".as_slice(), &bomb].concat();
    assert_eq!(declarations(&jpeg(&[segment(0xeb, &held)])).claims, []);
}

#[test]
fn many_texts_and_chunks_end_at_a_limit() {
    let file = png(&vec![text("parameters", A1111); 100_000]);
    let many = declarations(&file);
    assert_eq!(many.claims.len(), 1);
    assert!(many.damage.is_some());
    let mut endless = png(&[]);
    endless.truncate(33);
    endless.extend([0; 12].repeat(1 << 21));
    assert_eq!(declarations(&endless).claims, []);
}

#[test]
fn lengths_beyond_the_file_end_the_walk() {
    for length in [0x7fff_ffff_u32, 0xffff_ffff] {
        let signature = b"\x89PNG\r\n\x1a\n".as_slice();
        let png = [signature, &length.to_be_bytes(), b"tEXtparameters\0a"].concat();
        assert!(declarations(&png).damage.is_some());
        let body = [b"WEBPEXIF".as_slice(), &length.to_le_bytes(), b"II"].concat();
        let webp = [b"RIFF".as_slice(), &length.to_le_bytes(), &body].concat();
        assert!(declarations(&webp).damage.is_some());
    }
    for segment in [b"\xff\xe1\0\0", b"\xff\xe1\0\x01", b"\xff\xe1\xff\xff", b"\xff\xff\xff\xff"] {
        let jpeg = [b"\xff\xd8".as_slice(), segment].concat();
        assert!(declarations(&jpeg).damage.is_some());
    }
}

#[test]
fn nested_entities_of_xmp_do_not_grow() {
    let mut entities = String::from("<!ENTITY a0 \"trainedAlgorithmicMedia\">");
    for level in 1..30 {
        let inside = format!("&a{};", level - 1).repeat(10);
        entities.push_str(&format!("<!ENTITY a{level} \"{inside}\">"));
    }
    let packet = format!("<!DOCTYPE x [{entities}]>{}", xmp("&a29;"));
    let declarations = declarations(&webp(&[riff_chunk(b"XMP ", packet.as_bytes())]));
    assert!(!declarations.say_ai());
}

#[test]
fn deep_and_wide_xmp_ends() {
    let deep = "<a>".repeat(1_000_000);
    let wide: String = (0..100_000).map(|n| format!(" xmlns:n{n}=\"urn:{n}\"")).collect();
    let attributes: String = (0..100_000).map(|n| format!(" a{n}=\"\"")).collect();
    let described = xmp("print").replace("rdf:about=\"\"", &attributes);
    for packet in [deep, format!("<a{wide}/>"), format!("<a{attributes}/>"), described] {
        let _ = declarations(&webp(&[riff_chunk(b"XMP ", packet.as_bytes())]));
    }
}

#[test]
fn deep_and_long_json_ends() {
    let deep = format!("{{\"a\":{}", "[".repeat(1_000_000));
    let long = format!("{{\"nodes\":[{}{{}}]}}", "{\"type\":\"a\"},".repeat(200_000));
    let wide: Vec<String> =
        (0..100_000).map(|n| format!("\"{n}\":{{\"class_type\":\"\"}}")).collect();
    let wide = format!("{{{}}}", wide.join(","));
    for json in [deep, long, wide] {
        for key in ["parameters", "prompt", "workflow", "invokeai_metadata", "AIGC", "Comment"] {
            assert_eq!(declarations(&png(&[text(key, &json)])).claims, [], "{key}");
        }
    }
}

#[test]
fn a_name_is_shown_without_what_could_deceive() {
    let value = "a\nSteps: 1, Seed: 1, Model: \u{202e}\u{1b}[31mevil\u{0}";
    let file = png(&[international_text("parameters", value)]);
    let by = declarations(&file).claims.remove(0).by.expect("a program");
    assert_eq!(by, "Stable Diffusion web UI, model [31mevil");
}

#[test]
fn a_file_longer_than_allowed_and_a_file_of_no_picture_are_errors() {
    let folder = std::env::temp_dir().join(format!("provenance-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the folder of temporary files is writable");
    let path = folder.join("a.png");
    let file = png(&[]);
    std::fs::write(&path, &file).expect("the disk has room");
    let bytes = u64::try_from(file.len()).expect("a short file");
    assert!(read_file(&path, bytes).is_ok());
    assert!(matches!(read_file(&path, bytes - 1), Err(Error::TooLarge { .. })));
    assert!(matches!(read_file(&folder.join("b.png"), bytes), Err(Error::Io(_))));
    assert!(matches!(read(b"GET / HTTP/1.1"), Err(Error::Format)));
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
}
