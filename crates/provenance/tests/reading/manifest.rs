//! Manifests that the tests sign with a certificate of their own.

use std::io::Cursor;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use c2pa::{Builder, Context, EphemeralSigner, Signer};
use provenance::{
    Credentials, Declarations, Error, Kind, Manifests, Nature, Reader, Says, Strength, read,
};

use crate::writer::*;

const ROOT: &str = "http://cv.iptc.org/newscodes/digitalsourcetype/";

/// The time that a check of a small file may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn signer() -> EphemeralSigner {
    EphemeralSigner::new("tests.local").expect("keys can be drawn")
}

/// A small PNG without a manifest.
fn unsigned() -> Vec<u8> {
    let rows: Vec<u8> =
        (0..16).flat_map(|y| [0].into_iter().chain((0..16).map(move |x| x * y))).collect();
    png_of(16, 16, 0, &rows, &[])
}

/// The definition of a manifest with one action, of `source_type`.
fn builder(source_type: &str) -> Builder {
    let definition = format!(
        r#"{{"claim_generator_info": [{{"name": "Generator", "version": "1.2"}}],
        "assertions": [{{"label": "c2pa.actions", "data": {{"actions": [{{"action": "c2pa.created",
        "softwareAgent": {{"name": "Model 3"}}, "digitalSourceType": "{ROOT}{source_type}"}}]}}}}]}}"#
    );
    let builder = Builder::from_context(Context::new()).with_definition(definition.as_str());
    builder.expect("the definition is well formed")
}

/// `picture` with the manifest of `builder`.
fn sealed(signer: &EphemeralSigner, mut builder: Builder, picture: &[u8]) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let signed = builder.sign(signer, "image/png", &mut Cursor::new(picture), &mut file);
    signed.expect("the picture is a PNG");
    file.into_inner()
}

/// A small PNG with a manifest, in which stands a thumbnail.
fn signed(signer: &EphemeralSigner, source_type: &str, thumbnail: Option<&[u8]>) -> Vec<u8> {
    let mut builder = builder(source_type);
    if let Some(thumbnail) = thumbnail {
        builder.set_thumbnail("image/png", &mut Cursor::new(thumbnail)).expect("memory has room");
    }
    sealed(signer, builder, &unsigned())
}

/// The root of `signer`, as PEM.
fn root(signer: &EphemeralSigner) -> String {
    let certificates = signer.certs().expect("the signer has certificates");
    let text = STANDARD.encode(certificates.last().expect("the root comes last"));
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| str::from_utf8(line).expect("base64")).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

fn manifests(declarations: &Declarations) -> &Manifests {
    match &declarations.credentials {
        Credentials::Read(manifests) => manifests,
        other => panic!("no manifest was read: {other:?}"),
    }
}

fn natures(declarations: &Declarations) -> Vec<Nature> {
    manifests(declarations).problems.iter().map(|problem| problem.nature).collect()
}

fn found(file: &[u8]) -> Declarations {
    read(file).expect("the file is a PNG")
}

#[test]
fn a_signed_statement_is_a_signed_claim() {
    let declarations = found(&signed(&signer(), "trainedAlgorithmicMedia", None));
    let claim = &declarations.claims[0];
    assert_eq!((claim.kind, claim.says), (Kind::C2pa, Says::AiGenerated));
    assert_eq!(claim.by.as_deref(), Some("Model 3"));
    assert_eq!(claim.strength, Strength::Signed { trusted: false, valid: true });
    assert_eq!(natures(&declarations), [Nature::Untrusted]);
    let manifests = manifests(&declarations);
    assert!(manifests.valid && !manifests.trusted);
    assert_eq!(manifests.source_types, ["trainedAlgorithmicMedia"]);
    assert!(manifests.generator.as_deref().is_some_and(|name| name.starts_with("Generator")));
    assert!(declarations.to_string().contains("nobody on the trust list signed it"));
    let json = serde_json::to_value(&declarations).expect("it is plain data");
    assert_eq!(json["credentials"]["state"], "read");
    assert_eq!(json["claims"][0]["strength"]["signed"]["valid"], true);
}

#[test]
fn a_signer_on_the_trust_list_is_trusted() {
    let (ours, stranger) = (signer(), signer());
    let file = signed(&ours, "digitalCapture", None);
    let by = |root: String| {
        let reader = Reader::default().with_trust_list(root).expect("it is a certificate");
        reader.read(&file).expect("the file is a PNG")
    };
    let trusted = by(root(&ours));
    assert_eq!(natures(&trusted), []);
    assert_eq!(trusted.claims[0].says, Says::Camera);
    assert_eq!(trusted.claims[0].strength, Strength::Signed { trusted: true, valid: true });
    assert_eq!(natures(&by(root(&stranger))), [Nature::Untrusted]);
}

#[test]
fn the_manifest_of_a_part_is_read_too_and_speaks_of_a_part() {
    let signer = signer();
    let part = signed(&signer, "trainedAlgorithmicMedia", None);
    let mut builder = builder("digitalCapture");
    let relation = r#"{"title": "part.png", "relationship": "componentOf"}"#;
    let added = builder.add_ingredient_from_stream(relation, "image/png", &mut Cursor::new(part));
    added.expect("the part is a PNG");
    let declarations = found(&sealed(&signer, builder, &unsigned()));
    let manifests = manifests(&declarations);
    assert_eq!(manifests.source_types, ["digitalCapture"]);
    assert_eq!(manifests.all_source_types, ["digitalCapture", "trainedAlgorithmicMedia"]);
    let says: Vec<Says> = declarations.claims.iter().map(|claim| claim.says).collect();
    assert_eq!(says, [Says::Camera, Says::AiEdited]);
}

#[test]
fn a_trust_list_of_no_certificates_is_an_error() {
    let pem = root(&signer());
    let none = pem.replace("CERTIFICATE", "PUBLIC KEY");
    for list in ["", "no certificate", &pem[..pem.len() / 2], &none] {
        assert!(matches!(Reader::default().with_trust_list(list), Err(Error::TrustList)), "{list}");
    }
    assert!(Reader::default().with_trust_list(pem.repeat(2)).is_ok());
}

#[test]
fn a_changed_picture_is_tampering_and_an_old_certificate_is_not() {
    let signer = signer();
    let file = signed(&signer, "trainedAlgorithmicMedia", None);
    let pixels = file.windows(4).position(|window| window == b"IDAT").expect("a picture") + 8;
    let mut changed = file.clone();
    changed[pixels] ^= 1;
    let tampered = found(&changed);
    assert!(natures(&tampered).contains(&Nature::Tampered), "{tampered}");
    assert!(!natures(&tampered).contains(&Nature::Expired));
    assert_eq!(tampered.claims[0].strength, Strength::Signed { trusted: false, valid: false });
    let trusting = Reader::default().with_trust_list(root(&signer)).expect("it is a certificate");
    for year in [1980_u64, 2090] {
        let time = UNIX_EPOCH + Duration::from_secs((year - 1970) * 31_556_952);
        let reader = trusting.clone().with_clock(time);
        let expired = reader.read(&file).expect("the file is a PNG");
        assert_eq!(natures(&expired), [Nature::Expired], "{year}");
        assert!(!manifests(&expired).valid);
    }
    let reader = trusting.with_clock(SystemTime::now());
    assert_eq!(natures(&reader.read(&file).expect("the file is a PNG")), []);
}

#[test]
fn bytes_behind_a_signed_picture_are_tampering() {
    let file = signed(&signer(), "digitalCapture", None);
    let appended = [file.as_slice(), &text("parameters", "a\nSteps: 1, Seed: 1")].concat();
    let declarations = found(&appended);
    assert!(!declarations.say_ai());
    assert!(natures(&declarations).contains(&Nature::Tampered));
}

#[test]
fn a_thumbnail_bomb_inside_a_manifest_costs_nothing() {
    let side = 65_535_u32.to_be_bytes();
    let head = chunk(b"IHDR", &[side.as_slice(), &side, &[8, 6, 0, 0, 0]].concat());
    let pixels = chunk(b"IDAT", &zlib(b"")[..8]);
    let bomb = [b"\x89PNG\r\n\x1a\n".as_slice(), &head, &pixels, &chunk(b"IEND", b"")].concat();
    assert_eq!(bomb.len(), 65);
    let file = signed(&signer(), "trainedAlgorithmicMedia", Some(&bomb));
    assert!(file.windows(bomb.len()).any(|window| window == bomb));
    let start = Instant::now();
    assert!(found(&file).say_ai());
    assert!(start.elapsed() < PATIENCE);
}

#[test]
fn cut_and_changed_manifests_are_answered() {
    let file = signed(&signer(), "trainedAlgorithmicMedia", None);
    for end in (0..file.len()).step_by(file.len() / 60) {
        let _ = read(&file[..end]);
    }
    let at = file.windows(4).position(|window| window == b"caBX").expect("a manifest");
    let end = file.windows(4).position(|window| window == b"IDAT").expect("a picture");
    for at in (at + 4..end.saturating_sub(8)).step_by((end - at) / 60) {
        let mut changed = file.clone();
        changed[at] ^= 0x55;
        let _ = found(&changed);
    }
}
