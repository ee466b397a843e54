//! The decoder answers anything with a picture or an error.

use std::io::Cursor;

use cifake::{DecodeLimits, Decoder};
use image::{DynamicImage, ImageFormat};
use proptest::prelude::*;

const FIXTURES: [&[u8]; 9] = [
    include_bytes!("fixtures/baseline.jpg"),
    include_bytes!("fixtures/progressive.jpg"),
    include_bytes!("fixtures/cmyk.jpg"),
    include_bytes!("fixtures/scans.jpg"),
    include_bytes!("fixtures/scans_cmyk.jpg"),
    include_bytes!("fixtures/progressive_restarts.jpg"),
    include_bytes!("fixtures/turned.jpg"),
    include_bytes!("fixtures/lossy.webp"),
    include_bytes!("fixtures/frames.gif"),
];

/// Well-formed files of every format.
fn files() -> Vec<Vec<u8>> {
    let photo = image::load_from_memory(FIXTURES[0]).expect("well-formed");
    let lossless = [
        (photo.clone(), ImageFormat::Png),
        (DynamicImage::ImageRgba16(photo.to_rgba16()), ImageFormat::Png),
        (photo.clone(), ImageFormat::Bmp),
        (photo, ImageFormat::WebP),
    ];
    let encoded = lossless.map(|(image, format)| {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).expect("the encoder knows the type");
        bytes.into_inner()
    });
    FIXTURES.iter().map(|bytes| bytes.to_vec()).chain(encoded).collect()
}

fn check(bytes: &[u8]) {
    let limits = DecodeLimits::default().with_max_pixels(1 << 20);
    if let Ok(picture) = Decoder::new(limits).decode(bytes) {
        let n_pixels = u64::from(picture.width()) * u64::from(picture.height());
        assert!(n_pixels > 0 && n_pixels <= limits.max_pixels);
        assert_eq!(picture.pixels().len() as u64, n_pixels * 3);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_break_the_decoder(
        start in 0_usize..8,
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let signatures: [&[u8]; 8] = [
            b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x40\0\0\0WEBPVP8 ",
            b"RIFF\x40\0\0\0WEBPVP8L", b"BM", b"GIF89a", b"\xff\xd8\xff\xc2\0\x11\x08",
        ];
        check(&[signatures[start], &bytes].concat());
    }

    #[test]
    fn no_damage_to_a_well_formed_file_breaks_the_decoder(
        file in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        is_cut: bool,
    ) {
        let files = files();
        let mut bytes = files[file.index(files.len())].clone();
        for (at, value) in flips {
            // Most of what matters stands near the beginning.
            let at = at.index(bytes.len());
            let at = if value % 2 == 0 { at } else { at % 128 };
            let at = at.min(bytes.len() - 1);
            bytes[at] ^= value;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        check(&bytes);
    }
}
