//! C2PA manifests, read and checked by the crate `c2pa`.
//!
//! It gets no client of a network, so a manifest that stands elsewhere is not fetched, nor is the state of
//! a certificate. Thumbnails stay bytes that nobody decodes.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{SystemTime, UNIX_EPOCH};

use c2pa::validation_results::ValidationResults;
use c2pa::validation_status::ValidationStatus;
use c2pa::{Context, Error, Manifest, Reader, Settings};
use serde_json::Value;
use x509_parser::pem::Pem;
use x509_parser::time::ASN1Time;

use crate::bounded::Bounded;
use crate::claim::{Claim, Kind, Says, Strength, name};
use crate::credentials::{Credentials, Manifests, Nature, Problem};
use crate::format::Format;
use crate::source;

/// Bytes of a file whose manifests are checked: the check holds the file several times over.
const MAX_FILE: usize = 256 << 20;

/// Megabytes of a manifest that was packed with brotli.
const MAX_UNPACKED_MB: usize = 16;

/// Statements of a manifest and of all manifests, and faults, that are kept.
const MAX_KEPT: usize = 64;

/// The place of a person's or an organization's signature in a manifest.
const IDENTITY: &str = "/cawg.identity";
/// How codes about a certificate begin: that of a manifest, and that of an identity.
const CERTIFICATE: &str = "signingCredential.";
const IDENTITY_CERTIFICATE: &str = "cawg.x509.credential.";

/// The signature fits the statements that it covers.
const SIGNATURE_HOLDS: &str = "claimSignature.validated";
const SIGNER_IS_TRUSTED: &str = "signingCredential.trusted";
const EXPIRED: &str = "signingCredential.expired";
/// A time stamp by someone on the trust list: it, and not the clock, dates the signature.
const TIME_IS_TRUSTED: &str = "timeStamp.trusted";

/// By whom and when a signature counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Terms {
    /// Certificates of the roots, as PEM.
    pub(crate) trust_list: Option<String>,
    /// The time at which certificates must be valid; now by default.
    pub(crate) clock: Option<SystemTime>,
}

/// Reads and checks the manifests of `file`.
pub(crate) fn check(format: Format, file: &[u8], terms: &Terms) -> (Credentials, Vec<Claim>) {
    if file.len() > MAX_FILE {
        return (unreadable("the file is longer than is checked"), Vec::new());
    }
    // The other crate must not bring down its caller, whatever the bytes are.
    let checked = catch_unwind(AssertUnwindSafe(|| {
        let reader = Reader::from_context(Context::new().with_settings(settings(terms))?)
            .with_stream(format.mime(), Bounded::new(file))?;
        Ok(read(&reader, terms))
    }));
    match checked {
        Ok(Ok((manifests, claims))) => (Credentials::Read(manifests), claims),
        Ok(Err(error)) => (unread(&error), Vec::new()),
        Err(_) => (unreadable("its reader failed"), Vec::new()),
    }
}

fn settings(terms: &Terms) -> Settings {
    let mut settings = Settings::default();
    settings.verify.remote_manifest_fetch = false;
    settings.verify.ocsp_fetch = false;
    settings.core.allowed_network_hosts = Some(Vec::new());
    settings.core.max_decompressed_manifest_size_in_mb = MAX_UNPACKED_MB;
    settings.trust.trust_anchors.clone_from(&terms.trust_list);
    settings
}

fn unread(error: &Error) -> Credentials {
    match error {
        Error::JumbfNotFound => Credentials::None,
        Error::RemoteManifestUrl(url) => Credentials::Remote { url: name(url).unwrap_or_default() },
        error => unreadable(&error.to_string()),
    }
}

fn unreadable(reason: &str) -> Credentials {
    Credentials::Unreadable { reason: name(reason).unwrap_or_default() }
}

fn read(reader: &Reader, terms: &Terms) -> (Manifests, Vec<Claim>) {
    let active = reader.active_manifest();
    let (problems, successes) = findings(reader.validation_results());
    let dated = successes.contains(TIME_IS_TRUSTED);
    let problems = if dated { problems } else { at_clock(problems, active, terms.clock) };
    let stranger = |problem: &Problem| problem.nature == Nature::Untrusted;
    let valid = successes.contains(SIGNATURE_HOLDS) && problems.iter().all(stranger);
    let trusted = valid && problems.is_empty() && successes.contains(SIGNER_IS_TRUSTED);
    let source_types = |statements: &[Statement]| -> Vec<String> {
        let types: BTreeSet<&str> = statements.iter().map(|s| last_part(&s.source_type)).collect();
        types.into_iter().filter_map(name).collect()
    };
    let own = active.map(statements).unwrap_or_default();
    let all: BTreeSet<Statement> = reader.iter_manifests().flat_map(statements).collect();
    let all: Vec<Statement> = all.into_iter().take(MAX_KEPT).collect();
    let strength = Strength::Signed { trusted, valid };
    let generator = active.and_then(generator);
    let manifests = Manifests {
        generator: generator.clone(),
        signer: active.and_then(Manifest::issuer).and_then(|issuer| name(&issuer)),
        valid,
        trusted,
        problems: problems.into_iter().take(MAX_KEPT).collect(),
        source_types: source_types(&own),
        all_source_types: source_types(&all),
    };
    (manifests, claims(&own, &all, generator, strength))
}

/// The statements of the last manifest. Those of other manifests are about an earlier version or a part:
/// only a trained model in them is a claim, and then about a part.
fn claims(
    own: &[Statement],
    all: &[Statement],
    generator: Option<String>,
    strength: Strength,
) -> Vec<Claim> {
    let claim = |says, by: Option<String>| Claim {
        kind: Kind::C2pa,
        says,
        by: by.or_else(|| generator.clone()),
        strength,
    };
    let mut claims: Vec<Claim> = Vec::new();
    let about_all = own.iter().map(|s| claim(source::says(&s.source_type), s.agent.clone()));
    let other = all.iter().filter(|s| !own.contains(s) && source::says(&s.source_type).is_ai());
    for claim in about_all.chain(other.map(|s| claim(Says::AiEdited, s.agent.clone()))) {
        if !claims.contains(&claim) {
            claims.push(claim);
        }
    }
    if claims.is_empty() {
        claims.push(claim(Says::Nothing, None));
    }
    claims
}

/// The codes of faults and of successes, for the last manifest and for those that it builds on.
fn findings(results: Option<&ValidationResults>) -> (BTreeSet<Problem>, BTreeSet<String>) {
    let Some(results) = results else { return Default::default() };
    let deltas = results.ingredient_deltas().into_iter().flatten();
    let deltas = deltas.flat_map(|delta| delta.validation_deltas().failure());
    let active = results.active_manifest();
    let own = active.map(|codes| codes.failure().as_slice()).unwrap_or_default();
    let problems = own.iter().chain(deltas).map(|status| Problem::of(&code(status))).collect();
    let successes = active.map(|codes| codes.success().as_slice()).unwrap_or_default();
    (problems, successes.iter().map(|status| status.code().to_owned()).collect())
}

/// The code of a status, shown like a name. The reader has one code for the certificate that signed a manifest and for
/// those of persons and organizations in it; the specification of the Creator Assertions Working Group has another.
fn code(status: &ValidationStatus) -> String {
    let code = name(status.code()).unwrap_or_default();
    let is_identity = status.url().is_some_and(|place| place.contains(IDENTITY));
    match code.strip_prefix(CERTIFICATE) {
        Some(fault) if is_identity => format!("{IDENTITY_CERTIFICATE}{fault}"),
        _ => code,
    }
}

/// `problems` as they are at the time of the clock: the reader of manifests looks at the time of day.
fn at_clock(
    mut problems: BTreeSet<Problem>,
    active: Option<&Manifest>,
    clock: Option<SystemTime>,
) -> BTreeSet<Problem> {
    let chain = active.and_then(Manifest::signature_info).map(|info| info.cert_chain());
    let Some(valid) = chain.zip(clock).and_then(|(chain, clock)| is_valid_at(chain, clock)) else {
        return problems;
    };
    let expired = Problem::of(EXPIRED);
    problems.remove(&expired);
    if !valid {
        problems.insert(expired);
    }
    problems
}

/// True if the blocks of a text in PEM are certificates, at least one.
pub(crate) fn are_certificates(pem: &str) -> bool {
    let mut blocks = Pem::iter_from_buffer(pem.as_bytes()).peekable();
    let is_certificate = |block: Result<Pem, _>| {
        block.is_ok_and(|pem| pem.label == "CERTIFICATE" && pem.parse_x509().is_ok())
    };
    blocks.peek().is_some() && blocks.all(is_certificate)
}

/// True if the first certificate of a chain is valid at a time.
fn is_valid_at(chain: &str, clock: SystemTime) -> Option<bool> {
    let seconds = clock.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let time = ASN1Time::from_timestamp(i64::try_from(seconds).ok()?).ok()?;
    let first = Pem::iter_from_buffer(chain.as_bytes()).next()?.ok()?;
    let certificate = first.parse_x509().ok()?;
    Some(certificate.validity().is_valid_at(time))
}

/// An action with a digital source type.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Statement {
    source_type: String,
    /// The program or the model that acted.
    agent: Option<String>,
}

/// The statements of a manifest's actions.
fn statements(manifest: &Manifest) -> Vec<Statement> {
    let lists = manifest.assertions().iter();
    let lists = lists.filter(|assertion| assertion.label().starts_with("c2pa.actions"));
    let lists = lists.filter_map(|assertion| assertion.value().ok()?.get("actions")?.as_array());
    let statement = |action: &Value| {
        let source_type = action.get("digitalSourceType")?.as_str()?.to_owned();
        let agent = action.get("softwareAgent");
        let agent = agent.and_then(|agent| agent.as_str().or_else(|| agent.get("name")?.as_str()));
        Some(Statement { source_type, agent: agent.and_then(name) })
    };
    lists.flatten().filter_map(statement).take(MAX_KEPT).collect()
}

/// The program that made a manifest.
fn generator(manifest: &Manifest) -> Option<String> {
    if let Some(generator) = manifest.claim_generator().and_then(name) {
        return Some(generator);
    }
    let info = manifest.claim_generator_info.as_ref()?.first()?;
    match &info.version {
        Some(version) => name(&format!("{} {version}", info.name)),
        None => name(&info.name),
    }
}

/// The name of a digital source type without its address.
fn last_part(source_type: &str) -> &str {
    source_type.rsplit(['/', ':', '#']).next().unwrap_or_default()
}
