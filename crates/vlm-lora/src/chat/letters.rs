//! The bytes that the letters of tokens stand for.

use std::collections::HashMap;

/// GPT-2's letters for bytes: printable ones stand for themselves, the others for what follows 255.
pub(super) fn byte_letters() -> HashMap<char, u8> {
    let printable = |byte: &u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let same = (0..=255).filter(printable).map(|byte| (char::from(byte), byte));
    let others = (0..=255).filter(|byte| !printable(byte));
    let moved = others.zip(256u32..).filter_map(|(byte, code)| Some((char::from_u32(code)?, byte)));
    same.chain(moved).collect()
}

/// The bytes of a token of such letters.
pub(super) fn spelled(text: &str, letters: &HashMap<char, u8>) -> Option<Vec<u8>> {
    text.chars().map(|letter| letters.get(&letter).copied()).collect()
}

/// A piece of SentencePiece: `▁` is a space and `<0x0A>` a byte.
pub(super) fn pieced(text: &str) -> Vec<u8> {
    let hex = text.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
        Some(byte) => vec![byte],
        None => text.replace('▁', " ").into_bytes(),
    }
}
