//! The map between the names and layouts of a weight file and those of a module, as data.

use std::collections::BTreeSet;
use std::path::Path;

use burn::store::{
    BurnToPyTorchAdapter, IdentityAdapter, KeyRemapper, ModuleAdapter, PathFilter,
    PyTorchToBurnAdapter, burn_pack,
};

use crate::Error;

/// The layout of the tensors in a weight file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// PyTorch's: linear weights are `[out, in]`; norms have `weight` and `bias`.
    #[default]
    Pytorch,
    /// burn's: linear weights are `[in, out]`; norms have `gamma` and `beta`.
    Burn,
}

/// The way from one set of weight names to another, fit for a `const`.
///
/// ```
/// use cifake::weights::Mapping;
/// const LOAD: Mapping = Mapping {
///     renames: &[(r"^head\.fc\.", "head.")],
///     ignored: &[r"\.num_batches_tracked$"],
///     ..Mapping::PYTORCH
/// };
/// assert_eq!(LOAD.rename("head.fc.weight"), "head.weight");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mapping<'a> {
    /// Regular expressions and what replaces them (`$1` is the first group), applied one after the
    /// other to each name. Loading goes from the file's names to the module's, saving the other way;
    /// in both the layout's own renaming (`gamma` to `weight`) is not to be written here.
    pub renames: &'a [(&'a str, &'a str)],
    /// Regular expressions of the names, before renaming, that loading may leave unused and saving
    /// leaves out.
    pub ignored: &'a [&'a str],
    /// The file's layout.
    pub layout: Layout,
}

impl Mapping<'static> {
    /// PyTorch's layout; `num_batches_tracked`, which plays no part in a result, is ignored.
    pub const PYTORCH: Self =
        Self { renames: &[], ignored: &[r"(^|\.)num_batches_tracked$"], layout: Layout::Pytorch };

    /// burn's own names and layout.
    pub const BURN: Self = Self { renames: &[], ignored: &[], layout: Layout::Burn };
}

impl Mapping<'_> {
    /// The name that `key` becomes.
    ///
    /// # Panics
    /// If a pattern is no regular expression, as every use of the mapping does.
    #[must_use]
    pub fn rename(&self, key: &str) -> String {
        let mut key = key.to_owned();
        for (pattern, replacement) in self.remapper().patterns {
            key = pattern.replace_all(&key, replacement.as_str()).into_owned();
        }
        key
    }

    /// `tensors` without the ignored ones and under their new names.
    pub(super) fn apply(
        &self,
        tensors: Vec<burn_pack::Tensor>,
        path: &Path,
    ) -> Result<Vec<burn_pack::Tensor>, Error> {
        let kept = match self.ignored {
            [] => tensors,
            ignored => {
                let ignored = PathFilter::new().with_regexes(ignored);
                tensors.into_iter().filter(|tensor| !ignored.matches(&tensor.name)).collect()
            }
        };
        let (renamed, _) = self.remapper().remap(kept);
        let mut names = BTreeSet::new();
        for tensor in &renamed {
            if !names.insert(tensor.name.as_str()) {
                let key = tensor.name.clone();
                return Err(Error::DuplicateWeights { path: path.to_owned(), key });
            }
        }
        Ok(renamed)
    }

    /// The adapter from a file's tensors to a module's.
    pub(super) fn loading_adapter(&self) -> Box<dyn ModuleAdapter> {
        match self.layout {
            Layout::Pytorch => Box::new(PyTorchToBurnAdapter),
            Layout::Burn => Box::new(IdentityAdapter),
        }
    }

    /// The adapter from a module's tensors to a file's.
    pub(super) fn saving_adapter(&self) -> Box<dyn ModuleAdapter> {
        match self.layout {
            Layout::Pytorch => Box::new(BurnToPyTorchAdapter),
            Layout::Burn => Box::new(IdentityAdapter),
        }
    }

    fn remapper(&self) -> KeyRemapper {
        KeyRemapper::from_pattern_iter(self.renames.iter().copied())
            .expect("a mapping is written by a programmer and holds regular expressions")
    }
}
