//! Pictures in zip archives, read in place.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::Crc;
use flate2::read::DeflateDecoder;
use zip::{CompressionMethod, ZipArchive};

use super::folder::require_both;
use super::labels::labels_of;
use super::sample::require_samples;
use super::walk::is_image_name;
use super::{Class, Dataset, LabelNames, Sample, Split};
use crate::Error;
use crate::image::DecodeLimits;

/// Most folders of unknown names that an error names.
const MAX_NAMED: usize = 16;

/// Pictures in zip archives such as CIFAKE's four, read by many threads without unpacking.
///
/// The folders of a member tell its label and its split, as those of an
/// [`ImageFolder`](crate::ImageFolder) do; members without a label are passed over. Members may be
/// stored or deflated.
#[derive(Debug)]
pub struct ZipDataset {
    archives: Vec<Archive>,
    members: Vec<Member>,
    samples: Vec<Sample>,
}

#[derive(Debug)]
struct Archive {
    path: PathBuf,
    file: File,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    archive: usize,
    offset: u64,
    packed_bytes: u64,
    bytes: u64,
    deflated: bool,
    crc32: u32,
}

impl ZipDataset {
    /// The pictures of the archives at `paths`, in the archives' order, of `split` alone if one is
    /// given; `names` says which folders hold which label.
    ///
    /// # Errors
    ///
    /// An archive that cannot be read; a picture that is encrypted, packed by another method or
    /// larger than [`DecodeLimits::for_own_files`] accepts; [`DatasetError::OneClass`](crate::DatasetError::OneClass) where pictures lie in folders of
    /// unknown names and one label has none; no picture.
    pub fn open(
        paths: &[PathBuf],
        split: Option<Split>,
        names: &LabelNames,
    ) -> Result<Self, Error> {
        let (mut found, mut others) = (Self::empty(), BTreeSet::new());
        for path in paths {
            found.add_archive(path, |id| {
                let (label, _) = labels_of(id, names);
                if label.is_none() && is_image_name(id) && others.len() < MAX_NAMED {
                    others.extend(id.rsplit('/').nth(1).map(str::to_owned));
                }
                labelled(id, split, names)
            })?;
        }
        let first = paths.first().map_or(Path::new(""), PathBuf::as_path);
        let named = if paths.len() > 1 { first.parent().unwrap_or(first) } else { first };
        require_samples(named, split, &found.samples)?;
        require_both(named, &found.samples, &others.into_iter().collect::<Vec<_>>())?;
        Ok(found)
    }

    /// Nothing yet.
    pub(super) fn empty() -> Self {
        Self { archives: Vec::new(), members: Vec::new(), samples: Vec::new() }
    }

    /// Adds the members of the archive at `path` of which `sample_of` knows by their names what they
    /// are.
    pub(super) fn add_archive(
        &mut self,
        path: &Path,
        mut sample_of: impl FnMut(&str) -> Option<Sample>,
    ) -> Result<(), Error> {
        let read = |source| Error::Read { path: path.to_owned(), source };
        let broken = |source| Error::Zip { path: path.to_owned(), source };
        let file = File::open(path).map_err(read)?;
        let mut zip = ZipArchive::new(BufReader::with_capacity(512, file)).map_err(broken)?;
        for index in 0..zip.len() {
            let entry = zip.by_index_raw(index).map_err(broken)?;
            if !entry.is_file() {
                continue;
            }
            let id = entry.name();
            let Some(sample) = sample_of(id) else { continue };
            let refuse =
                |reason| Error::ZipEntry { path: path.to_owned(), entry: id.to_owned(), reason };
            self.members.push(member(&entry, self.archives.len()).map_err(refuse)?);
            self.samples.push(sample);
        }
        let file = File::open(path).map_err(read)?;
        self.archives.push(Archive { path: path.to_owned(), file });
        Ok(())
    }
}

/// The member `id` as a sample by the folders in its name, where it is a picture of `wanted`.
fn labelled(id: &str, wanted: Option<Split>, names: &LabelNames) -> Option<Sample> {
    let (label, split) = labels_of(id, names);
    let name = id.rsplit('/').next().unwrap_or(id);
    let is_wanted = wanted.is_none_or(|wanted| split.is_none_or(|of| of == wanted));
    let class = Class::from_file_name(name);
    let sample = Sample { class, split: split.or(wanted), ..Sample::new(id, label?) };
    (is_wanted && !name.starts_with('.')).then_some(sample)
}

/// The place of the content of `entry`, or the reason why it is not read.
fn member<R: Read>(
    entry: &zip::read::ZipFile<'_, R>,
    archive: usize,
) -> Result<Member, &'static str> {
    let deflated = match entry.compression() {
        CompressionMethod::Stored => false,
        CompressionMethod::Deflated => true,
        _ => return Err("is neither stored nor deflated"),
    };
    if entry.encrypted() {
        return Err("is encrypted");
    }
    let largest = DecodeLimits::for_own_files().max_file_bytes;
    if entry.size() > largest || entry.compressed_size() > largest {
        return Err("is larger than any picture that is read");
    }
    let offset = entry.data_start().ok_or("has no place in the archive")?;
    Ok(Member {
        archive,
        offset,
        packed_bytes: entry.compressed_size(),
        bytes: entry.size(),
        deflated,
        crc32: entry.crc32(),
    })
}

impl Dataset for ZipDataset {
    fn samples(&self) -> &[Sample] {
        &self.samples
    }

    fn bytes(&self, index: usize) -> Result<Cow<'_, [u8]>, Error> {
        let member = self.members[index];
        let archive = &self.archives[member.archive];
        let refuse = |reason| Error::ZipEntry {
            path: archive.path.clone(),
            entry: self.samples[index].id.clone(),
            reason,
        };
        let mut packed = vec![0; usize::try_from(member.packed_bytes).expect("at most 1 GB")];
        read_exact_at(&archive.file, &mut packed, member.offset)
            .map_err(|_| refuse("is cut off"))?;
        let bytes = if member.deflated {
            let mut bytes = Vec::new();
            let mut inflated = DeflateDecoder::new(packed.as_slice()).take(member.bytes + 1);
            inflated.read_to_end(&mut bytes).map_err(|_| refuse("is broken"))?;
            bytes
        } else {
            packed
        };
        let mut crc = Crc::new();
        crc.update(&bytes);
        if bytes.len() as u64 != member.bytes || crc.sum() != member.crc32 {
            return Err(refuse("does not match its checksum"));
        }
        Ok(Cow::Owned(bytes))
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                buffer = &mut buffer[read..];
                offset += read as u64;
            }
        }
    }
    Ok(())
}
