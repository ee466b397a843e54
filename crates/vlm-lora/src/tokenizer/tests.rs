use super::*;

/// A byte-level tokenizer without merges, and one special token.
fn bytes() -> Tokenizer {
    let mut letters: Vec<(char, u8)> = byte_letters().into_iter().collect();
    letters.sort_unstable_by_key(|(_, byte)| *byte);
    let vocab: serde_json::Map<String, serde_json::Value> =
        letters.iter().map(|(letter, byte)| (letter.to_string(), (*byte).into())).collect();
    let json = serde_json::json!({
        "version": "1.0",
        "added_tokens": [{"id": 256, "content": "<end>", "special": true, "single_word": false,
            "lstrip": false, "rstrip": false, "normalized": false}],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "vocab": vocab, "merges": []},
    });
    Tokenizer::from_bytes(json.to_string().as_bytes(), Path::new("tokenizer.json"))
        .expect("the tokenizer is whole")
}

#[test]
fn text_comes_back() {
    let tokenizer = bytes();
    let tokens = tokenizer.encode("Größe 1<end>").expect("it can be tokenized");
    assert_eq!(tokens.last(), Some(&256));
    assert_eq!(tokenizer.decode(&tokens).expect("it is text"), "Größe 1");
    assert_eq!(tokenizer.token("<end>"), Some(256));
}

#[test]
fn what_a_message_spells_is_no_special_token() {
    let tokenizer = bytes();
    let control = tokenizer.control_tokens(None);
    let said = control.mark("a<end>\nb");
    let letters = |text: &str| {
        text.bytes()
            .map(|b| {
                tokenizer.encode(std::str::from_utf8(&[b]).expect("ASCII")).expect("a letter")[0]
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(tokenizer.encode_marked(&said).expect("text"), letters("a<end>\nb"));
    let both = tokenizer.encode_marked(&format!("<end>{said}<end>")).expect("text");
    assert_eq!((both[0], both[both.len() - 1]), (256, 256));
    assert_eq!(both[1..both.len() - 1], letters("a<end>\nb"));
}

/// GPT-2's file names its only special token in the configuration.
#[test]
fn special_tokens_that_only_the_configuration_names_are_tokens() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |file: &str, text: &str| {
        std::fs::write(folder.path().join(file), text).expect("the folder is writable");
    };
    let model = r#"{"model": {"type": "BPE", "merges": [],
        "vocab": {"<": 0, "e": 1, "n": 2, "d": 3, ">": 4, "<end>": 5}}}"#;
    write("tokenizer.json", model);
    let encoded = |text: &str| {
        let tokenizer = Tokenizer::from_folder(folder.path()).expect("the files are whole");
        tokenizer.encode(text).expect("it can be tokenized")
    };
    assert_eq!(encoded("<end>"), [0, 1, 2, 3, 4]);
    write("special_tokens_map.json", r#"{"eos_token": {"content": "<end>", "lstrip": false}}"#);
    assert_eq!(encoded("<end>"), [5]);
    write("tokenizer_config.json", r#"{"added_tokens_decoder": {}}"#);
    assert_eq!(encoded("<end>"), [0, 1, 2, 3, 4], "the older file does not count then");
    write("tokenizer_config.json", r#"{"eos_token": "<end>", "extra_special_tokens": ["nn"]}"#);
    assert_eq!(encoded("<end>nn"), [5, 6]);
    write("tokenizer_config.json", r#"{"eos_token": "<end>", "split_special_tokens": true}"#);
    assert_eq!(encoded("<end>"), [0, 1, 2, 3, 4]);
    write("tokenizer_config.json", r#"{"fast_tokenizer_files": ["tokenizer.4.0.json"]}"#);
    let refused = Tokenizer::from_folder(folder.path());
    assert!(matches!(refused, Err(Error::Config { .. })), "{refused:?}");
}

#[test]
fn every_byte_is_a_token_of_the_vocabulary() {
    let vocabulary = bytes().vocabulary(257);
    assert!((0..=255).all(|byte| vocabulary.has_byte(byte)));
    assert_eq!((vocabulary.bytes(32), vocabulary.bytes(256)), (&b" "[..], &[][..]));
}

#[test]
fn a_stream_waits_for_whole_characters() {
    let tokenizer = bytes();
    let mut stream = tokenizer.stream();
    let tokens = tokenizer.encode("aß€b").expect("it can be tokenized");
    let parts: Vec<String> =
        tokens.iter().map(|token| stream.push(*token).expect("it is text")).collect();
    assert_eq!(parts, ["a", "", "ß", "", "", "€", "b"]);
}

#[test]
fn a_broken_file_is_an_error() {
    for bytes in [&b""[..], b"{}", b"[1]", b"\xff"] {
        let found = Tokenizer::from_bytes(bytes, Path::new("tokenizer.json"));
        assert!(matches!(found, Err(Error::Tokenizer { .. })));
    }
}

#[test]
fn files_that_break_the_library_or_grow_texts_are_errors() {
    let with = |part: &str| {
        format!(r#"{{"model": {{"type": "BPE", "vocab": {{"a": 0}}, "merges": []}}, {part}}}"#)
    };
    let longer = r#"{"type": "Replace", "pattern": {"String": "a"}, "content": "aaaaaaaaaa"}"#;
    let many = vec![longer; 20].join(",");
    for json in [
        r#"{"model": {"type": "BPE", "continuing_subword_prefix": "\u0023\u0023",
            "vocab": {"a": 0, "b": 1}, "merges": [["a", "b"]]}}"#
            .to_owned(),
        with(r#""normalizer": {"type": "Precompiled", "precompiled_charsmap": "/////w=="}"#),
        with(&format!(r#""normalizer": {{"type": "Sequence", "normalizers": [{many}]}}"#)),
        with(&format!(r#""decoder": {{"type": "Sequence", "decoders": [{many}]}}"#)),
    ] {
        let found = Tokenizer::from_bytes(json.as_bytes(), Path::new("tokenizer.json"));
        assert!(matches!(found, Err(Error::Tokenizer { .. })), "{json}");
    }
    let strip = with(r#""decoder": {"type": "Strip", "content": "a", "start": 0, "stop": 2}"#);
    let tokenizer = Tokenizer::from_bytes(strip.as_bytes(), Path::new("tokenizer.json"));
    let decoded = tokenizer.expect("its parts are known").decode(&[0]);
    assert!(matches!(decoded, Err(Error::Tokens { .. })), "{decoded:?}");
    let metaspace = with(
        r#""normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}"#,
    );
    assert!(Tokenizer::from_bytes(metaspace.as_bytes(), Path::new("tokenizer.json")).is_ok());
}

#[test]
fn pieces_are_spaces_and_bytes() {
    assert_eq!(pieced("▁the"), b" the");
    assert_eq!(pieced("<0x0A>"), b"\n");
}
