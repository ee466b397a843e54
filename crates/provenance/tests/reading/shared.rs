//! 55 public files, each with what it must yield: `datasets/provenance` of the folder of optional data.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
#[cfg(feature = "c2pa")]
use std::time::{Duration, UNIX_EPOCH};

use provenance::{Claim, Credentials, Declarations, Kind, Reader, Says};

/// One row of the table: column -> cell.
type Row = BTreeMap<String, String>;

/// The folder of the files, if there is one.
fn folder() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = std::env::var_os("CIFAKE_SHARED")
        .map_or_else(|| workspace.join("../shared"), |named| workspace.join(named));
    let folder = shared.join("datasets/provenance");
    folder.is_dir().then_some(folder)
}

/// The rows of a table whose cells may stand in quotes.
fn rows(table: &str) -> Vec<Row> {
    let cells = |line: &str| -> Vec<String> {
        let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
        let mut letters = line.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '"' if quoted && letters.next_if_eq(&'"').is_some() => cell.push('"'),
                '"' => quoted = !quoted,
                ',' if !quoted => cells.push(std::mem::take(&mut cell)),
                _ => cell.push(letter),
            }
        }
        cells.push(cell);
        cells
    };
    let mut lines = table.lines().map(cells);
    let names = lines.next().expect("a table has a head");
    lines.map(|row| names.iter().cloned().zip(row).collect()).collect()
}

fn has(claims: &[Claim], wanted: impl Fn(&Claim) -> bool) -> bool {
    claims.iter().any(wanted)
}

/// The faults of `found`, apart from its manifests.
fn faults(row: &Row, found: &Declarations) -> Vec<String> {
    let mut faults = Vec::new();
    let claims = &found.claims;
    let mut demand = |holds: bool, what: &str| {
        if !holds {
            faults.push(what.to_owned());
        }
    };
    let unsigned = has(claims, |claim| claim.kind != Kind::C2pa && claim.says.is_ai());
    let declared = !row["generator_metadata"].is_empty()
        || row["xmp_DigitalSourceType"].contains("rainedAlgorithmicMedia");
    demand(unsigned == declared, "whether generators' metadata say AI");
    let camera = |claim: &Claim| claim.says == Says::Camera && claim.kind == Kind::Exif;
    let model = row["exif_model"].trim();
    demand(has(claims, camera) != model.is_empty(), "whether EXIF names a camera");
    let named = |claim: &Claim| camera(claim) && claim.by.as_deref().unwrap_or("").contains(model);
    demand(model.is_empty() || has(claims, named), "the camera");
    let software = row["software"].split("  ").next().unwrap_or_default().trim();
    let by = |claim: &Claim| claim.by.as_deref().unwrap_or_default().contains(software);
    demand(software.is_empty() || has(claims, by), "the software");
    faults
}

/// Noon of 2026-01-01, when every certificate of the files was valid.
#[cfg(feature = "c2pa")]
const NOON: u64 = 1_767_268_800;

/// The faults of the manifests of `found`.
#[cfg(feature = "c2pa")]
fn manifest_faults(row: &Row, found: &Declarations) -> Vec<String> {
    let expected = row["must_c2pa"].as_str();
    let list = |items: &[String]| items.join(";");
    match &found.credentials {
        Credentials::None if expected == "C2PA: none" => Vec::new(),
        // The table's reader had no support of SVG.
        _ if expected.contains("type is unsupported") => Vec::new(),
        Credentials::Remote { .. } if expected.contains("Remote:") => Vec::new(),
        Credentials::Unreadable { .. } if expected.contains("Other:") => Vec::new(),
        Credentials::Read(manifests) if expected.starts_with("C2PA ") => {
            let state = if manifests.valid { "C2PA Valid" } else { "C2PA Invalid" };
            let codes: Vec<_> = manifests.problems.iter().map(|p| p.code.clone()).collect();
            // A program that states name and version apart has only its name in the table.
            let by = &row["c2pa_claim_generator"];
            let generator = manifests.generator.clone().unwrap_or_default();
            let generator = generator.get(..by.len()).unwrap_or(&generator).to_owned();
            let pairs = [
                (state.to_owned(), expected.split(" (").next().unwrap_or_default()),
                (list(&codes), &row["c2pa_status_codes"]),
                (generator, by),
                (list(&manifests.source_types), &row["c2pa_source_types_active"]),
                (list(&manifests.all_source_types), &row["c2pa_source_types_all_manifests"]),
            ];
            let differ = pairs.into_iter().filter(|(ours, theirs)| ours != theirs);
            differ.map(|(ours, theirs)| format!("{ours} instead of {theirs}")).collect()
        }
        other => vec![format!("{other:?} instead of {expected}")],
    }
}

/// Without the feature nothing is read, and nothing is said that is not so.
#[cfg(not(feature = "c2pa"))]
fn manifest_faults(row: &Row, found: &Declarations) -> Vec<String> {
    let none = found.credentials == Credentials::None;
    let wrong = none && row["must_c2pa"].starts_with("C2PA ");
    wrong.then(|| "no manifest was seen".to_owned()).into_iter().collect()
}

fn reader() -> Reader {
    let reader = Reader::default();
    #[cfg(feature = "c2pa")]
    let reader = reader.with_clock(UNIX_EPOCH + Duration::from_secs(NOON));
    reader
}

#[test]
fn public_files_say_what_the_table_says() {
    let Some(folder) = folder() else {
        eprintln!("skipped: CIFAKE_SHARED names no folder with datasets/provenance");
        return;
    };
    let table = std::fs::read_to_string(folder.join("provenance.csv")).expect("the table is there");
    let rows = rows(&table);
    let mut wrong = Vec::new();
    for row in &rows {
        let bytes = std::fs::read(folder.join(&row["path"])).expect("the table names files");
        let found = reader().read(&bytes).expect("each file begins like a picture");
        let mut faults = faults(row, &found);
        faults.extend(manifest_faults(row, &found));
        if cfg!(feature = "c2pa") && found.say_ai() != (row["must_say_ai"] == "yes") {
            faults.push("whether the file says AI".to_owned());
        }
        for fault in faults {
            wrong.push(format!("{}: {fault}: {:?}", row["path"], found.claims));
        }
    }
    assert_eq!(rows.len(), 55);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
