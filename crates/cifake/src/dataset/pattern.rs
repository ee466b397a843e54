//! Files, folders and patterns that a program is given.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};

use super::error::DatasetError;
use super::walk::{ImageSearch, Walk, all_entries, sorted_entries};
use crate::Error;

/// Hidden files match no `*`.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The image files that `argument` stands for: a file, a folder at any depth, or a pattern (`*`,
/// `?`, `[a-z]`, `**` for any depth); those of a pattern are sorted by name and there once.
///
/// A folder that cannot be read, or that lies more than 32 folders deep, is found with an error in
/// its place; all others are searched. A file of that very name is no pattern. A name that is not
/// UTF-8 matches as if U+FFFD stood for each broken part.
///
/// # Errors
///
/// [`Error::NoImages`] for a folder without any, [`DatasetError::Pattern`], and [`DatasetError::NoMatch`] for a
/// pattern without a match.
pub fn find_images(argument: &Path) -> Result<ImageSearch, Error> {
    if argument.is_dir() {
        let mut walk = Walk::default();
        walk.enter(argument);
        return match walk.search {
            search if search.found.is_empty() => Err(Error::NoImages { path: argument.to_owned() }),
            search => Ok(search),
        };
    }
    let text = argument.to_string_lossy();
    if !text.contains(['*', '?', '[']) || argument.symlink_metadata().is_ok() {
        let mut search = ImageSearch::default();
        search.push(argument.to_owned(), None);
        return Ok(search);
    }
    let parts = parts(argument)?;
    let mut matches = Matches::default();
    matches.step(PathBuf::new(), &parts);
    let Matches { walk, mut found, .. } = matches;
    found.found.extend(walk.search.found);
    found.unread.extend(walk.search.unread);
    found.found.sort_by(|a, b| a.path.cmp(&b.path));
    let mut seen = SeenFiles::default();
    found.found.retain(|image| seen.is_new(&image.path));
    if found.found.is_empty() {
        return Err(DatasetError::NoMatch { pattern: crate::text::path_text(argument) }.into());
    }
    Ok(found)
}

/// The files that were named so far, whichever way the names lead to them.
#[derive(Debug, Default)]
pub struct SeenFiles {
    files: HashSet<PathBuf>,
    /// Folders as they were named, and their real paths.
    folders: HashMap<PathBuf, PathBuf>,
}

impl SeenFiles {
    /// Whether `path` names another file than those before. A link to a file is another file than its
    /// target; a folder that a link leads to is the same folder.
    pub fn is_new(&mut self, path: &Path) -> bool {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        if !self.folders.contains_key(folder) {
            let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
            self.folders.insert(folder.to_owned(), real);
        }
        let name = path.file_name().unwrap_or_default();
        self.files.insert(self.folders[folder].join(name))
    }
}

/// A part of a pattern between two separators.
enum Part {
    Literal(OsString),
    Pattern(Pattern),
    /// `**`: folders at any depth, none included.
    AnyDepth,
}

fn parts(pattern: &Path) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    for component in pattern.components() {
        let text = component.as_os_str().to_string_lossy();
        let part = match component {
            Component::Normal(_) if text == "**" => Part::AnyDepth,
            Component::Normal(_) if text.contains(['*', '?', '[']) => {
                let refuse = |source: glob::PatternError| DatasetError::Pattern {
                    pattern: crate::text::path_text(pattern),
                    source: source.into(),
                };
                Part::Pattern(Pattern::new(&text).map_err(refuse)?)
            }
            other => Part::Literal(other.as_os_str().to_owned()),
        };
        let repeats = matches!((parts.last(), &part), (Some(Part::AnyDepth), Part::AnyDepth));
        if !repeats {
            parts.push(part);
        }
    }
    Ok(parts)
}

/// The matches of a pattern so far.
#[derive(Default)]
struct Matches {
    found: ImageSearch,
    /// The files found in folders that the whole pattern matches.
    walk: Walk,
    /// Folders in which a part of the pattern was looked for: links that lead in a circle end.
    searched: HashSet<(usize, PathBuf)>,
}

impl Matches {
    /// Looks for `parts` in the folder `base`.
    fn step(&mut self, base: PathBuf, parts: &[Part]) {
        let Some((part, rest)) = parts.split_first() else {
            return self.whole(base);
        };
        match part {
            Part::Literal(name) => {
                let path = base.join(name);
                if path.exists() {
                    self.step(path, rest);
                }
            }
            Part::Pattern(pattern) => {
                let matches = |path: &PathBuf| {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    pattern.matches_with(&name, OPTIONS)
                };
                let found = self.entries(&base, all_entries).into_iter().filter(matches);
                for path in found.collect::<Vec<_>>() {
                    if rest.is_empty() || path.is_dir() {
                        self.step(path, rest);
                    }
                }
            }
            Part::AnyDepth => self.any_depth(base, parts),
        }
    }

    /// Looks for the parts after `**` in the folder `base` and in all folders below it.
    fn any_depth(&mut self, base: PathBuf, parts: &[Part]) {
        let here = if base.as_os_str().is_empty() { Path::new(".") } else { &base };
        let is_new =
            here.canonicalize().is_ok_and(|real| self.searched.insert((parts.len(), real)));
        if !is_new {
            return;
        }
        let below = self.entries(&base, sorted_entries).into_iter().filter(|path| path.is_dir());
        let below: Vec<PathBuf> = below.collect();
        self.step(base, &parts[1..]);
        for folder in below {
            self.any_depth(folder, parts);
        }
    }

    /// The entries of `folder` as `read` lists them; one that cannot be read is found with its error.
    fn entries(
        &mut self,
        folder: &Path,
        read: impl Fn(&Path) -> Result<Vec<PathBuf>, Error>,
    ) -> Vec<PathBuf> {
        let is_here = folder.as_os_str().is_empty();
        match read(if is_here { Path::new(".") } else { folder }) {
            // As the pattern names them: without `./` in front.
            Ok(entries) if is_here => {
                let strip =
                    |path: PathBuf| path.strip_prefix(".").map_or(path.clone(), Path::to_owned);
                entries.into_iter().map(strip).collect()
            }
            Ok(entries) => entries,
            Err(error) => {
                self.found.push(folder.to_owned(), Some(error));
                Vec::new()
            }
        }
    }

    /// Adds what the whole pattern matches.
    fn whole(&mut self, path: PathBuf) {
        if path.is_dir() { self.walk.enter(&path) } else { self.found.push(path, None) }
    }
}
