//! Pictures of other generators, from a list of folders.

use std::path::PathBuf;

use cifake::weights::sha256_hex;
use cifake::{Class, Decoder, Label, ParquetColumn, ParquetFile, image_files};
use serde::Deserialize;

use super::manifest::{GeneratorOrigin, Licensed, sha256_of};
use crate::Error;

/// A folder of pictures of one generator.
///
/// All of them are FAKE. Each is resized as a whole to the size of the set, each axis by its own
/// factor, with a Lanczos filter of three lobes ([`Picture::fitted`](cifake::Picture::fitted)).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generated {
    /// Name of the generator, such as `Stable Diffusion 2.1`.
    pub generator: String,
    /// The class of CIFAKE that the pictures show, if it is one.
    pub class: Option<Class>,
    /// The prompt of the generator.
    pub prompt: Option<String>,
    /// The license of the pictures.
    pub licence: String,
    /// The folder; its subfolders are included.
    pub folder: PathBuf,
}

/// The pictures of one generator, in the order of the list and then of their names.
pub(super) struct GeneratedFile {
    pub(super) generator: String,
    pictures: Vec<(PathBuf, Generated)>,
}

impl GeneratedFile {
    /// The pictures of `list` by generator, in order of first appearance.
    pub(super) fn all(list: &[Generated]) -> Result<Vec<Self>, Error> {
        let mut files: Vec<Self> = Vec::new();
        for entry in list {
            let found = image_files(&entry.folder)?;
            let pictures = found.into_iter().map(|path| (path, entry.clone()));
            match files.iter_mut().find(|file| file.generator == entry.generator) {
                Some(file) => file.pictures.extend(pictures),
                None => files.push(Self {
                    generator: entry.generator.clone(),
                    pictures: pictures.collect(),
                }),
            }
        }
        Ok(files)
    }

    /// The entry of the manifest.
    pub(super) fn origin(&self) -> Result<GeneratorOrigin, Error> {
        let mut listed: Vec<Licensed> = Vec::new();
        let mut hashes = Vec::new();
        for (path, entry) in &self.pictures {
            hashes.push(sha256_of(path)?);
            let licensed = Licensed {
                class: entry.class,
                prompt: entry.prompt.clone(),
                licence: entry.licence.clone(),
            };
            if !listed.contains(&licensed) {
                listed.push(licensed);
            }
        }
        Ok(GeneratorOrigin {
            generator: self.generator.clone(),
            n: self.pictures.len(),
            sha256: sha256_hex(hashes.join("\n").as_bytes()),
            listed,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.pictures.len()
    }

    /// The table of the pictures at `size` (width, height).
    pub(super) fn table(
        &self,
        decoder: &Decoder,
        (width, height): (u32, u32),
    ) -> Result<ParquetFile, Error> {
        let mut file = ParquetFile::default();
        let mut texts: [Vec<String>; 5] = Default::default();
        let mut sides: [Vec<i64>; 2] = Default::default();
        for (number, (path, entry)) in self.pictures.iter().enumerate() {
            let fitted = decoder.read_fitted(path, width, height)?;
            let bytes = fitted.picture.to_png();
            file.names.push(name_of(number, entry.class));
            file.labels.push(Label::Fake);
            let original = path.strip_prefix(&entry.folder).unwrap_or(path).display().to_string();
            let prompt = entry.prompt.clone().unwrap_or_default();
            let row = [&entry.generator, &prompt, &entry.licence, &original, &sha256_hex(&bytes)];
            texts.iter_mut().zip(row).for_each(|(column, text)| column.push(text.clone()));
            sides[0].push(fitted.original_width.into());
            sides[1].push(fitted.original_height.into());
            file.pictures.push(bytes);
        }
        let names = ["generator", "prompt", "licence", "original", "sha256"];
        let texts = names.into_iter().zip(texts.map(ParquetColumn::Text));
        let sides =
            ["original_width", "original_height"].into_iter().zip(sides.map(ParquetColumn::Whole));
        file.columns = texts.chain(sides).map(|(name, column)| (name.to_owned(), column)).collect();
        Ok(file)
    }
}

/// A file name that encodes the class like CIFAKE's names.
fn name_of(number: usize, class: Option<Class>) -> String {
    let position = class.and_then(|class| Class::ALL.iter().position(|other| *other == class));
    match position {
        None => format!("generated-{number:04}.png"),
        Some(0) => format!("{number:04}.png"),
        Some(position) => format!("{number:04} ({}).png", position + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_class() {
        for class in Class::ALL {
            assert_eq!(Class::from_file_name(&name_of(7, Some(class))), Some(class));
        }
        assert_eq!(Class::from_file_name(&name_of(7, None)), None);
    }
}
