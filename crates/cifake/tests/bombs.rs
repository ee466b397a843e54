//! Files whose header claims far more than the file holds cost next to no memory.
//!
//! One test alone in its process, because it measures the process.

use std::io::Write;

use cifake::{Decoder, Error, PictureError};
use flate2::{Compression, Crc, write::ZlibEncoder};

/// Most bytes that the process may ever hold for one of these files.
const MOST_RESIDENT: u64 = 100_000_000;

fn png_chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(kind);
    crc.update(content);
    let length = u32::try_from(content.len()).expect("a small chunk");
    [&length.to_be_bytes(), kind.as_slice(), content, &crc.sum().to_be_bytes()].concat()
}

fn png(width: u32, height: u32, chunks: &[u8]) -> Vec<u8> {
    let header = [&width.to_be_bytes(), &height.to_be_bytes(), [8, 2, 0, 0, 0].as_slice()].concat();
    [b"\x89PNG\r\n\x1a\n".as_slice(), &png_chunk(b"IHDR", &header), chunks].concat()
}

fn zlib_zeros(n_bytes: usize) -> Vec<u8> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
    for _ in 0..n_bytes >> 20 {
        packed.write_all(&[0; 1 << 20]).expect("a vector takes all bytes");
    }
    packed.finish().expect("a vector takes all bytes")
}

fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let frame = [&[8_u8][..], &height.to_be_bytes(), &width.to_be_bytes()].concat();
    [
        b"\xff\xd8\xff\xc0\0\x11".as_slice(),
        &frame,
        b"\x03\x01\x11\0\x02\x11\0\x03\x11\0",
        b"\xff\xda\0\x0c\x03\x01\0\x02\0\x03\0\0\x3f\0",
        b"\x12\x34\xff\xd9",
    ]
    .concat()
}

fn bmp(width: i32, height: i32) -> Vec<u8> {
    let header = [
        b"BM".as_slice(),
        &[0; 8],
        &54_u32.to_le_bytes(),
        &40_u32.to_le_bytes(),
        &width.to_le_bytes(),
        &height.to_le_bytes(),
        &[1, 0, 24, 0],
    ];
    [header.concat(), vec![0; 24]].concat()
}

fn webp(width: u32, height: u32) -> Vec<u8> {
    let size = (width - 1) | (height - 1) << 14;
    let lossless = [&[0x2f_u8][..], &size.to_le_bytes(), &[0; 11]].concat();
    let length = u32::try_from(lossless.len()).expect("short").to_le_bytes();
    let chunk = [b"VP8L".as_slice(), &length, &lossless].concat();
    let riff = u32::try_from(chunk.len() + 4).expect("short").to_le_bytes();
    [b"RIFF".as_slice(), &riff, b"WEBP", &chunk].concat()
}

fn gif(screen: [u16; 2], frame: [u16; 2]) -> Vec<u8> {
    let [screen, frame] = [screen, frame].map(|sides| sides.map(u16::to_le_bytes).concat());
    let table = [[0_u8; 3], [255; 3]].concat();
    [
        b"GIF89a".as_slice(),
        &screen,
        &[0x80, 0, 0],
        &table,
        b"\x2c\0\0\0\0",
        &frame,
        &[0, 2, 2, 0x44, 0x01, 0, 0x3b],
    ]
    .concat()
}

/// Peak resident bytes of this process so far.
#[cfg(target_os = "linux")]
fn peak_resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

#[cfg(not(target_os = "linux"))]
fn peak_resident() -> u64 {
    0
}

/// A column of black pixels. Coefficients of a filter over all of it would take 600 MB.
fn tall_png(height: u32) -> Vec<u8> {
    let header = [&1_u32.to_be_bytes(), &height.to_be_bytes(), [8, 0, 0, 0, 0].as_slice()].concat();
    let rows = zlib_zeros(2 * height as usize);
    let chunks = [png_chunk(b"IHDR", &header), png_chunk(b"IDAT", &rows), png_chunk(b"IEND", &[])];
    [b"\x89PNG\r\n\x1a\n".as_slice(), &chunks.concat()].concat()
}

#[test]
fn a_header_that_claims_too_much_costs_little_memory() {
    let profile = [b"icc\0\0".as_slice(), &zlib_zeros(256 << 20)].concat();
    let files = [
        ("png", png(20_000, 20_000, &png_chunk(b"IDAT", &zlib_zeros(1 << 20)))),
        ("largest png", png(u32::MAX >> 1, u32::MAX >> 1, &png_chunk(b"IDAT", &[]))),
        ("one row", png(u32::MAX >> 1, 1, &png_chunk(b"IDAT", &[]))),
        ("profile", png(8, 8, &[png_chunk(b"iCCP", &profile), png_chunk(b"IDAT", &[])].concat())),
        ("within the limits", png(6_000, 6_000, &png_chunk(b"IDAT", &[]))),
        ("jpeg", jpeg(20_000, 20_000)),
        ("bmp", bmp(20_000, 20_000)),
        ("webp", webp(16_383, 16_383)),
        ("screen", gif([65_535, 65_535], [1, 1])),
        ("frame", gif([10, 10], [65_535, 65_535])),
    ];
    let before = peak_resident();
    for (name, bytes) in &files {
        let error = Decoder::default().decode(bytes).expect_err(name);
        assert!(matches!(error, Error::Picture(_)), "{name}: {error}");
        let peak = peak_resident();
        assert!(peak < MOST_RESIDENT.max(before + 20_000_000), "{name}: {before} to {peak} bytes");
    }
    let fitted = Decoder::default().decode_fitted(&tall_png(10 << 20), 32, 32);
    assert_eq!(fitted.expect("10 megapixels").picture.pixels(), [0; 32 * 32 * 3]);
    let peak = peak_resident();
    assert!(peak < before.max(MOST_RESIDENT), "tall: {before} to {peak} bytes");
    for name in ["png", "jpeg", "bmp", "webp", "screen"] {
        let (_, bytes) = files.iter().find(|(other, _)| *other == name).expect("it is listed");
        let error = Decoder::default().decode(bytes).expect_err(name);
        let refused = matches!(error, Error::Picture(PictureError::TooManyPixels { .. }));
        assert!(refused, "{name}: {error}");
    }
}
