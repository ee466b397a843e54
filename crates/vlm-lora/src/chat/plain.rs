//! Text in which nothing is a special token.

use tokenizers::{
    Model, NormalizedString, Normalizer, OffsetType, PreTokenizedString, PreTokenizer, Result,
    Tokenizer,
};

/// The tokens of `text` without any added token: the library's own steps but the first, which looks for
/// them.
pub(super) fn encode(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>> {
    let mut normalized = NormalizedString::from(text);
    if let Some(normalizer) = tokenizer.get_normalizer() {
        normalizer.normalize(&mut normalized)?;
    }
    let mut words = PreTokenizedString::from(normalized);
    if let Some(pre_tokenizer) = tokenizer.get_pre_tokenizer() {
        pre_tokenizer.pre_tokenize(&mut words)?;
    }
    words.tokenize(|word| tokenizer.get_model().tokenize(word.get()))?;
    Ok(words.into_encoding(None, 0, OffsetType::Byte)?.get_ids().to_vec())
}
