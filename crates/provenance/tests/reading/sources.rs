//! Every source at every place, in files of a few bytes.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use provenance::{Claim, Kind, Says, Strength, read};

use crate::writer::*;

const A1111: &str = "a cat\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, Seed: 1, \
                     Model hash: 0f1e, Model: sd15, Version: v1.10.1";
const A1111_BY: &str = "Stable Diffusion web UI, model sd15 (0f1e)";

fn claims(file: &[u8]) -> Vec<Claim> {
    let declarations = read(file).expect("the file begins like a picture");
    assert_eq!(declarations.damage, None);
    declarations.claims
}

fn only(file: &[u8]) -> (Kind, Says, String) {
    let mut claims = claims(file);
    assert_eq!(claims.len(), 1, "{claims:?}");
    let claim = claims.remove(0);
    (claim.kind, claim.says, claim.by.unwrap_or_default())
}

fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(order).collect()
}

#[test]
fn png_texts_of_each_generator_are_read() {
    let table = [
        ("parameters", A1111, A1111_BY),
        ("parameters", "x\nSteps: 3, Seed: 1, App: SD.Next, Model: m", "SD.Next, model m"),
        (
            "parameters",
            "x\nSteps: 3, Seed: 1, Version: f2.0.1v1.10.1",
            "Stable Diffusion web UI Forge",
        ),
        ("parameters", "x\nSteps: 3, Sampler: a, Version: Fooocus v2.5.5", "Fooocus v2.5.5"),
        (
            "prompt",
            r#"{"4": {"class_type": "Loader", "inputs": {"ckpt_name": "m"}}}"#,
            "ComfyUI, model m",
        ),
        ("workflow", r#"{"nodes": [{"type": "KSampler"}]}"#, "ComfyUI"),
        (
            "invokeai_metadata",
            r#"{"generation_mode": "txt2img", "model": {"model_name": "m"}}"#,
            "InvokeAI, model m",
        ),
        ("Dream", "\"a cat\" -s 50 -S 2980747362 -W 512", "InvokeAI"),
        (
            "parameters",
            r#"{"software": "RuinedFooocus", "base_model_name": "m", "base_model_hash": "b"}"#,
            "RuinedFooocus, model m (b)",
        ),
        (
            "parameters",
            r#"{"version": "Fooocus v2.5", "base_model": "m"}"#,
            "Fooocus v2.5, model m",
        ),
        (
            "parameters",
            r#"{"sui_image_params": {"model": "m", "swarm_version": "0.9"}}"#,
            "SwarmUI 0.9, model m",
        ),
        ("AIGC", r#"{"Label": "1", "ContentProducer": "p"}"#, "p"),
    ];
    for (key, value, by) in table {
        let expected = (Kind::Text, Says::AiGenerated, by.to_owned());
        assert_eq!(only(&png(&[text(key, value)])), expected, "{key} {value}");
        assert_eq!(only(&png(&[packed_text(key, &zlib(value.as_bytes()))])), expected);
        assert_eq!(only(&png(&[international_text(key, value)])), expected);
        assert_eq!(only(&png(&[packed_international_text(key, value)])), expected);
    }
}

#[test]
fn novelai_is_known_by_its_software() {
    let file = png(&[text("Software", "NovelAI"), text("Source", "NovelAI Diffusion V4")]);
    let claims = claims(&file);
    assert_eq!(claims[0].says, Says::AiGenerated);
    assert_eq!(claims[0].by.as_deref(), Some("NovelAI, model NovelAI Diffusion V4"));
}

#[test]
fn other_texts_and_other_software_are_no_generators() {
    let file = png(&[text("parameters", "a cat"), text("prompt", "a cat"), text("Comment", "{}")]);
    assert_eq!(claims(&file), []);
    let file = png(&[text("Software", "Paint 1")]);
    assert_eq!(only(&file), (Kind::Text, Says::Software, "Paint 1".to_owned()));
}

/// A file of each format with `block` as its EXIF.
fn with_exif(block: &[u8]) -> [Vec<u8>; 4] {
    [
        jpeg(&[exif_segment(block)]),
        png(&[chunk(b"eXIf", block)]),
        webp(&[riff_chunk(b"EXIF", block)]),
        webp(&[riff_chunk(b"EXIF", &[b"Exif\0\0", block].concat())]),
    ]
}

#[test]
fn a_comment_is_read_in_every_code_order_and_container() {
    let comments = [
        [b"UNICODE\0".to_vec(), utf16(A1111, u16::to_be_bytes)].concat(),
        [b"UNICODE\0".to_vec(), utf16(A1111, u16::to_le_bytes)].concat(),
        [b"ASCII\0\0\0".as_slice(), A1111.as_bytes()].concat(),
    ];
    let expected = (Kind::Exif, Says::AiGenerated, A1111_BY.to_owned());
    for comment in comments {
        for little_endian in [false, true] {
            for file in with_exif(&exif(&[(0x9286, 7, comment.clone())], little_endian)) {
                assert_eq!(only(&file), expected);
            }
        }
    }
}

#[test]
fn generators_in_exif_are_read() {
    let prompt = br#"Prompt: {"4": {"class_type": "Loader", "inputs": {"ckpt_name": "m"}}}"#;
    let info = br#"ASCII   {"aigc_info": {"aigc_label_type": 0, "source_info": "dreamina"}}"#;
    let swarm = br#"{"sui_image_params": {"model": "m"}}"#;
    let comment = |text: &[u8]| [b"ASCII\0\0\0", text].concat();
    let table = [
        ((0x010f, 2, prompt.to_vec()), "ComfyUI, model m"),
        ((0x0110, 2, prompt.to_vec()), "ComfyUI, model m"),
        ((0x010e, 2, prompt.to_vec()), "ComfyUI, model m"),
        ((0x9286, 7, comment(&info[8..])), "dreamina"),
        ((0x010e, 2, info[8..].to_vec()), "dreamina"),
        ((0x9286, 7, comment(swarm)), "SwarmUI, model m"),
    ];
    for (field, by) in table {
        for file in with_exif(&exif(&[field], true)) {
            assert_eq!(only(&file), (Kind::Exif, Says::AiGenerated, by.to_owned()));
        }
    }
}

#[test]
fn a_camera_and_its_software_are_two_claims() {
    let fields = [
        (0x010f, 2, b"Canon\0".to_vec()),
        (0x0110, 2, b"Canon EOS R5\0".to_vec()),
        (0x0131, 2, b"Paint 1\0".to_vec()),
    ];
    for file in with_exif(&exif(&fields, false)) {
        let claims = claims(&file);
        assert_eq!(claims.len(), 2);
        assert_eq!((claims[0].says, claims[0].strength), (Says::Camera, Strength::CameraFields));
        assert_eq!(claims[0].by.as_deref(), Some("Canon EOS R5"));
        assert_eq!((claims[1].says, claims[1].strength), (Says::Software, Strength::Declared));
    }
}

#[test]
fn a_digital_source_type_is_read_from_every_container() {
    for (term, says) in [
        ("trainedAlgorithmicMedia", Says::AiGenerated),
        ("compositeWithTrainedAlgorithmicMedia", Says::AiEdited),
        ("algorithmicMedia", Says::Algorithm),
        ("digitalCapture", Says::Camera),
        ("somethingNew", Says::Nothing),
    ] {
        let packet = xmp(term);
        for file in [
            jpeg(&[xmp_segment(&packet)]),
            png(&[international_text(XMP_KEY, &packet)]),
            png(&[packed_international_text(XMP_KEY, &packet)]),
            webp(&[riff_chunk(b"XMP ", packet.as_bytes())]),
        ] {
            let claims = claims(&file);
            assert_eq!((claims[0].kind, claims[0].says), (Kind::Xmp, says), "{term}");
            assert_eq!(claims[0].by.as_deref(), Some("Paint 1"));
            assert_eq!(claims[1].says, Says::Software);
        }
    }
}

/// A PNG with `mark`, the number of bits and `body` in the lowest bits of its alpha channel.
fn stealth(mark: &[u8; 15], body: &[u8]) -> Vec<u8> {
    let n_bits = u32::try_from(body.len() * 8).expect("a test's text is short");
    let bytes = [mark.as_slice(), &n_bits.to_be_bytes(), body].concat();
    let bits: Vec<u8> =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
    let (width, height) = (61_usize, 50_usize);
    let mut rows = Vec::new();
    for y in 0..height {
        rows.push(0);
        for x in 0..width {
            let bit = bits.get(x * height + y).copied().unwrap_or(0);
            rows.extend([9, 9, 9, 254 | bit]);
        }
    }
    png_of(61, 50, 6, &rows, &[])
}

#[test]
fn a_text_in_the_alpha_channel_is_read() {
    let expected = (Kind::Pixels, Says::AiGenerated, A1111_BY.to_owned());
    assert_eq!(only(&stealth(b"stealth_pnginfo", A1111.as_bytes())), expected);
    let packed = |text: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text.as_bytes()).expect("memory has room");
        encoder.finish().expect("memory has room")
    };
    assert_eq!(only(&stealth(b"stealth_pngcomp", &packed(A1111))), expected);
    let novelai = packed(r#"{"Software": "NovelAI", "Source": "V4"}"#);
    let expected = (Kind::Pixels, Says::AiGenerated, "NovelAI, model V4".to_owned());
    assert_eq!(only(&stealth(b"stealth_pngcomp", &novelai)), expected);
    assert_eq!(claims(&stealth(b"stealth_pngnone", A1111.as_bytes())), []);
}

#[test]
fn declarations_are_said_in_words_and_in_json() {
    let file = png(&[text("parameters", A1111)]);
    let declarations = read(&file).expect("the file begins like a picture");
    assert!(declarations.say_ai());
    let words = declarations.to_string();
    assert!(
        words.contains("AI generated the picture (Stable Diffusion web UI, model sd15"),
        "{words}"
    );
    let json = serde_json::to_value(&declarations).expect("it is plain data");
    assert_eq!(json["format"], "png");
    assert_eq!(json["claims"][0]["says"], "ai_generated");
    assert_eq!(json["claims"][0]["strength"], "declared");
    assert_eq!(json["credentials"]["state"], "none");
    let silent = read(&jpeg(&[])).expect("the file begins like a picture");
    assert!(!silent.say_ai());
    assert_eq!(silent.lines(), ["no origin is declared"]);
    assert!(silent.to_string().ends_with(provenance::CAUTION));
}
