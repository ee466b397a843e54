//! The data sets that `datasets/*.toml` describe: what they are, and whether a copy is the published
//! one. Nothing here decodes a picture; files are compared by their bytes.

use std::path::{Path, PathBuf};
use std::process::Command as Process;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::process::succeeds;

/// The folder of the TOML files.
const FOLDER: &str = "datasets";

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Name the data sets, their size and licence, and whether they are here
    List,
    /// Compare a copy with the published sizes and sha256 sums
    Verify {
        name: String,
        /// The folder of the copy; without it the place that the TOML names
        #[arg(long, value_name = "FOLDER")]
        data: Option<PathBuf>,
    },
    /// Download a data set with curl, or print its address
    Fetch {
        name: String,
        /// The folder that the download goes to
        #[arg(long, value_name = "FOLDER", default_value = "data")]
        into: PathBuf,
    },
}

/// One file of `datasets/`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DataSet {
    name: String,
    title: String,
    /// The page to read.
    url: String,
    /// A direct link to the archive, if there is one.
    download: Option<String>,
    licence: String,
    citation: Vec<String>,
    /// Its place in this repository.
    folder: Option<PathBuf>,
    /// Its place under the folder that `CIFAKE_SHARED` names.
    shared: Option<PathBuf>,
    /// The facts that must be known before a number from it is believed.
    #[serde(default)]
    notes: Vec<String>,
    splits: Vec<Split>,
    /// Archives, as they are downloaded or kept.
    #[serde(default)]
    files: Vec<File>,
}

/// The pictures of one split with one label.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Split {
    split: String,
    label: String,
    images: usize,
    /// The folder of its pictures, where the data set is unpacked.
    path: PathBuf,
    /// Of the lines `sha256  name\n` of its pictures, sorted by name.
    sha256: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    path: PathBuf,
    bytes: u64,
    sha256: String,
}

/// The state of one file or folder of a copy.
#[derive(Debug, PartialEq, Eq)]
enum Finding {
    Same,
    Absent,
    Differs(String),
}

/// Runs a subcommand in the workspace `root`; false if a copy differs from the published one.
pub(crate) fn run(root: &Path, command: &Command) -> Result<bool> {
    match command {
        Command::List => list(root),
        Command::Verify { name, data } => {
            let set = read(root, name)?;
            let folder = match data {
                Some(folder) => folder.clone(),
                None => set.place(root).with_context(|| {
                    format!("{name} is not in its usual place: give --data FOLDER or CIFAKE_SHARED")
                })?,
            };
            verify(&set, &folder)
        }
        Command::Fetch { name, into } => fetch(&read(root, name)?, into),
    }
}

fn list(root: &Path) -> Result<bool> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root.join(FOLDER)).context("read the folder datasets")? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    for name in names {
        let set = read(root, &name)?;
        println!("{name}: {}", set.title);
        for Split { split, label, images, .. } in &set.splits {
            println!("    {split:5} {label:4} {images:6} images");
        }
        println!("    licence {}, see {}", set.licence, set.url);
        match set.place(root) {
            Some(folder) => println!("    here: {}", folder.display()),
            None => println!("    not here: cargo xtask dataset fetch {name}"),
        }
    }
    Ok(true)
}

fn read(root: &Path, name: &str) -> Result<DataSet> {
    let path = root.join(FOLDER).join(format!("{name}.toml"));
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("no data set {name}: `cargo xtask dataset list` names them"))?;
    let set: DataSet = toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
    ensure!(set.name == name, "{} describes {}, not {name}", path.display(), set.name);
    Ok(set)
}

impl DataSet {
    /// Its folder, if it stands where it usually does.
    fn place(&self, root: &Path) -> Option<PathBuf> {
        let own = self.folder.as_ref().map(|folder| root.join(folder));
        let shared = self.shared.as_ref().map(|folder| shared(root).join(folder));
        [own, shared].into_iter().flatten().find(|folder| folder.is_dir())
    }
}

/// The optional folder of large data beside the repository.
pub(crate) fn shared(root: &Path) -> PathBuf {
    std::env::var_os("CIFAKE_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from)
}

fn verify(set: &DataSet, folder: &Path) -> Result<bool> {
    let files = set.files.iter().map(|file| (&file.path, check_file(file, folder)));
    let splits = set.splits.iter().map(|split| (&split.path, check_split(split, folder)));
    let (mut same, mut differing) = (0, 0);
    for (path, finding) in files.chain(splits) {
        let words = match finding? {
            Finding::Same => {
                same += 1;
                "the published bytes".to_owned()
            }
            Finding::Absent => "not here".to_owned(),
            Finding::Differs(how) => {
                differing += 1;
                format!("DIFFERS: {how}")
            }
        };
        println!("{}: {words}", folder.join(path).display());
    }
    ensure!(same + differing > 0, "{} holds nothing of {}", folder.display(), set.name);
    println!("{}: {same} as published, {differing} differ", set.name);
    Ok(differing == 0)
}

fn check_file(file: &File, folder: &Path) -> Result<Finding> {
    let path = folder.join(&file.path);
    let Ok(metadata) = path.metadata() else { return Ok(Finding::Absent) };
    if metadata.len() != file.bytes {
        return Ok(Finding::Differs(format!("{} bytes, not {}", metadata.len(), file.bytes)));
    }
    Ok(compare(&sha256_of(&path)?, &file.sha256))
}

fn check_split(split: &Split, folder: &Path) -> Result<Finding> {
    let path = folder.join(&split.path);
    if !path.is_dir() {
        return Ok(Finding::Absent);
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&path).with_context(|| format!("read {}", path.display()))? {
        let name = entry?.file_name();
        if Path::new(&name).extension().is_some_and(|e| e == "jpg" || e == "png") {
            names.push(name);
        }
    }
    if names.len() != split.images {
        return Ok(Finding::Differs(format!("{} images, not {}", names.len(), split.images)));
    }
    names.sort();
    let mut listing = Sha256::new();
    for name in names {
        let sum = sha256_of(&path.join(&name))?;
        listing.update(format!("{sum}  {}\n", name.to_string_lossy()));
    }
    Ok(compare(&hex(&listing.finalize()), &split.sha256))
}

fn compare(found: &str, published: &str) -> Finding {
    if found == published { Finding::Same } else { Finding::Differs(format!("sha256 {found}")) }
}

fn sha256_of(path: &Path) -> Result<String> {
    let mut file = std::fs::File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut hasher = Sha256::new();
    std::io::copy(&mut file, &mut hasher).with_context(|| format!("read {}", path.display()))?;
    Ok(hex(&hasher.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn fetch(set: &DataSet, into: &Path) -> Result<bool> {
    println!("{}\n{}\nlicence: {}", set.title, set.url, set.licence);
    for line in set.notes.iter().chain(&set.citation) {
        println!("- {line}");
    }
    let Some(link) = &set.download else {
        if set.folder.is_some() {
            println!("It is part of this repository.");
            return Ok(true);
        }
        bail!("there is no direct link: read {}", set.url);
    };
    std::fs::create_dir_all(into).with_context(|| format!("make {}", into.display()))?;
    let archive = into.join(format!("{}.zip", set.name));
    let part = into.join(format!("{}.zip.part", set.name));
    let mut curl = Process::new("curl");
    curl.args(["--location", "--fail", "--continue-at", "-", "--output"]).arg(&part).arg(link);
    ensure!(succeeds(&mut curl)?, "the download failed: see {}", set.url);
    std::fs::rename(&part, &archive)?;
    println!("Unpack {} beside itself, then:", archive.display());
    println!("  cargo xtask dataset verify {} --data {}", set.name, into.display());
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// sha256 of no bytes.
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask stands in the workspace")
    }

    fn empty_file() -> (tempfile::TempDir, File) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("a.zip"), b"").expect("the folder is writable");
        (folder, File { path: "a.zip".into(), bytes: 0, sha256: EMPTY.to_owned() })
    }

    #[test]
    fn a_file_is_compared_by_size_and_sum() {
        let (folder, mut file) = empty_file();
        let check = |file: &File| check_file(file, folder.path()).expect("the file is readable");
        assert_eq!(check(&file), Finding::Same);
        file.sha256 = "00".to_owned();
        assert_eq!(check(&file), Finding::Differs(format!("sha256 {EMPTY}")));
        file.bytes = 7;
        assert_eq!(check(&file), Finding::Differs("0 bytes, not 7".to_owned()));
        file.path = "b.zip".into();
        assert_eq!(check(&file), Finding::Absent);
    }

    #[test]
    fn the_committed_sets_are_the_described_ones() {
        for name in ["sample", "mini"] {
            let set = read(root(), name).expect("its TOML is valid");
            let folder = set.place(root()).expect("the set is committed");
            for split in &set.splits {
                let finding = check_split(split, &folder).expect("its pictures are readable");
                assert_eq!(finding, Finding::Same, "{name} {}", split.path.display());
            }
        }
    }

    #[test]
    fn a_missing_picture_is_noticed() {
        let mut set = read(root(), "mini").expect("its TOML is valid");
        let folder = set.place(root()).expect("the set is committed");
        set.splits[0].images += 1;
        let finding = check_split(&set.splits[0], &folder).expect("its pictures are readable");
        assert!(matches!(finding, Finding::Differs(_)), "{finding:?}");
    }

    #[test]
    fn an_unknown_name_says_how_to_list_them() {
        let error = read(root(), "no-such-set").expect_err("there is no such set").to_string();
        assert!(error.contains("dataset list"), "{error}");
    }

    #[test]
    fn cifake_is_described_in_full() {
        let set = read(root(), "cifake").expect("its TOML is valid");
        assert_eq!(set.splits.iter().map(|split| split.images).sum::<usize>(), 120_000);
        assert_eq!(set.files.len(), 4);
    }
}
