//! Runs that follow each other: which, from what, and on what.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::average::Averaged;
use crate::config::{Recipe, from_toml};
use crate::parameters::Layout;
use crate::stage::{ReadyStage, Start};
use crate::{Network, TrainError};

/// What [`Stage::start`] says for the best weights of the stage before.
const PREVIOUS: &str = "previous";
/// What [`Stage::start`] says for weights drawn from the recipe's seed.
const RANDOM: &str = "random";
/// Best weights of a stage, in its folder.
const BEST: &str = "best.safetensors";

/// Runs of one kind of network in a row, as a TOML file states them.
///
/// ```
/// use cifake_training::Queue;
///
/// let queue: Queue = toml::from_str(r#"
///     averages = { soup = ["long", "short"] }
///     [[stage]]
///     name = "long"
///     recipe = "long.toml"
///     [[stage]]
///     name = "short"
///     recipe = "short.toml"
///     extra = ["{extra}/attacked"]
///     [[stage]]
///     name = "last"
///     recipe = "short.toml"
///     start = "soup"
/// "#)?;
/// assert_eq!(queue.stages[1].start, "previous");
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// The runs in their order; in a file each is a table `[[stage]]`.
    #[serde(rename = "stage")]
    pub stages: Vec<Stage>,
    /// Names of means, and the stages whose best weights each is the mean of. A mean is written to
    /// `OUT/NAME.safetensors` when the last of its stages is done.
    #[serde(default)]
    pub averages: BTreeMap<String, Vec<String>>,
}

/// A run of a [`Queue`].
///
/// Its paths may begin with `{extra}`, the folder of additional sets, or with `{out}`, the folder of
/// the queue's runs. Other relative paths begin at the queue's file; those of a teacher begin at the
/// recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Name of the run's folder: letters, digits, `-`, `_` and `.`, no dot in front.
    pub name: String,
    /// Its recipe.
    pub recipe: String,
    /// Additional pictures to train on.
    #[serde(default)]
    pub extra: Vec<String>,
    /// What it starts from: `previous`, `random`, the name of an average, the name of an earlier
    /// stage (its best weights), or a weight file. `previous`, which is the default, means the best
    /// weights of the stage before where the model has the same shape, and random weights elsewhere.
    #[serde(default = "previous")]
    pub start: String,
}

fn previous() -> String {
    PREVIOUS.to_owned()
}

/// Where a queue, or a run that stands alone, reads and writes.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// The file of the queue, or of the recipe of a run that stands alone.
    pub file: &'a Path,
    /// The folder of the queue's runs, or of the run.
    pub out: &'a Path,
    /// The folder of additional sets, where there is one.
    pub extra_root: Option<&'a Path>,
    /// Weights that the first stage starts from where it says `previous`.
    pub weights: Option<&'a Path>,
}

impl Places<'_> {
    /// `text` with its placeholder filled in, or from `base` on.
    ///
    /// # Errors
    ///
    /// [`TrainError::Config`] for another placeholder, and for `{extra}` without a folder.
    pub fn resolve(&self, text: &str, base: &Path) -> Result<PathBuf, TrainError> {
        let under = |root: &Path, rest: &str| root.join(rest.trim_start_matches('/'));
        if let Some(rest) = text.strip_prefix("{out}") {
            return Ok(under(self.out, rest));
        }
        if let Some(rest) = text.strip_prefix("{extra}") {
            let nowhere = || format!("`{text}` needs a folder of additional sets");
            let root = self.extra_root.ok_or_else(|| TrainError::Config(nowhere()))?;
            return Ok(under(root, rest));
        }
        if text.contains(['{', '}']) {
            let reason = format!("`{text}` has a placeholder other than {{extra}} and {{out}}");
            return Err(TrainError::Config(reason));
        }
        Ok(base.join(text))
    }

    fn best(&self, stage: &str) -> PathBuf {
        self.out.join(stage).join(BEST)
    }

    fn average(&self, name: &str) -> PathBuf {
        self.out.join(format!("{name}.safetensors"))
    }
}

impl Queue {
    /// The queue in the file at `path`.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or is no queue; see also [`stages`](Self::stages).
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        from_toml(path)
    }

    /// The runs with their recipes read and their paths filled in, everything checked that can be
    /// before the first of them begins.
    ///
    /// # Errors
    ///
    /// A name that is taken or no name of a folder; a recipe that cannot be read or run; a file that
    /// is not there and no earlier stage leaves.
    pub fn stages<N: Network>(
        &self,
        places: &Places,
    ) -> Result<Vec<ReadyStage<N::Config>>, TrainError> {
        self.check_names().map_err(TrainError::Config)?;
        let mut ready: Vec<ReadyStage<N::Config>> = Vec::new();
        for (idx, stage) in self.stages.iter().enumerate() {
            let in_stage = |error: TrainError| match error {
                TrainError::Config(reason) => {
                    TrainError::Config(format!("stage {}: {reason}", stage.name))
                }
                other => other,
            };
            let one = self.stage::<N>(idx, ready.last(), places).map_err(in_stage)?;
            ready.push(one);
        }
        Ok(ready)
    }

    fn stage<N: Network>(
        &self,
        idx: usize,
        before: Option<&ReadyStage<N::Config>>,
        places: &Places,
    ) -> Result<ReadyStage<N::Config>, TrainError> {
        let stage = &self.stages[idx];
        let base = places.file.parent().unwrap_or(Path::new(""));
        let recipe_path = places.resolve(&stage.recipe, base)?;
        let recipe = Recipe::open(&recipe_path)?;
        recipe.train.validate().map_err(TrainError::Config)?;
        let model = recipe.model_config::<N>()?;
        let extra: Result<Vec<PathBuf>, _> =
            stage.extra.iter().map(|path| places.resolve(path, base)).collect();
        let extra = extra?;
        if let Some(missing) = extra.iter().find(|path| !path.exists()) {
            return Err(not_there(missing));
        }
        let start = match stage.start.as_str() {
            RANDOM => Start::Random,
            PREVIOUS => match (before, places.weights) {
                (Some(before), _) if same_shape::<N>(&before.model, &model) => {
                    Start::Weights(places.best(&before.name))
                }
                (Some(_), _) | (None, None) => Start::Random,
                (None, Some(weights)) => Start::Weights(weights.to_owned()),
            },
            name if self.averages.contains_key(name) => Start::Weights(places.average(name)),
            name if self.stages[..idx].iter().any(|earlier| earlier.name == name) => {
                Start::Weights(places.best(name))
            }
            path => Start::Weights(places.resolve(path, base)?),
        };
        if let Start::Weights(path) = &start {
            self.must_be_there(path, idx, places)?;
        }
        let folder = places.out.join(&stage.name);
        Ok(ReadyStage::new(stage, folder, recipe, model, extra, start))
    }

    /// `path` is a file, or one that a stage before the one at `idx` leaves.
    fn must_be_there(&self, path: &Path, idx: usize, places: &Places) -> Result<(), TrainError> {
        let earlier: Vec<&str> = self.stages[..idx].iter().map(|s| s.name.as_str()).collect();
        let of_stage = earlier.iter().any(|name| places.best(name) == path);
        let of_average = self.averages.iter().any(|(name, members)| {
            places.average(name) == path && members.iter().all(|m| earlier.contains(&m.as_str()))
        });
        let made_later = path.starts_with(places.out);
        match of_stage || of_average || !made_later && path.is_file() {
            true => Ok(()),
            false => Err(not_there(path)),
        }
    }

    fn check_names(&self) -> Result<(), String> {
        if self.stages.is_empty() {
            return Err("the queue has no stage".into());
        }
        let mut seen = HashSet::from([PREVIOUS, RANDOM]);
        let names = self.stages.iter().map(|stage| &stage.name).chain(self.averages.keys());
        for name in names {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
                return Err(format!("`{name}` is no name of letters, digits, -, _ and ."));
            }
            if !seen.insert(name) {
                return Err(format!("the name `{name}` is taken"));
            }
        }
        for (name, members) in &self.averages {
            let known = |member: &&String| self.stages.iter().all(|stage| stage.name != **member);
            if let Some(member) = members.iter().find(known) {
                return Err(format!("the average `{name}` names no stage `{member}`"));
            }
            if members.is_empty() {
                return Err(format!("the average `{name}` is of no stage"));
            }
        }
        Ok(())
    }

    /// Writes every mean whose stages are all done and that is not there yet; returns the files.
    ///
    /// # Errors
    ///
    /// Those of [`Averaged::of`], a file that cannot be written, and those of
    /// [`ReadyStage::is_done`].
    pub fn write_averages<N: Network>(
        &self,
        stages: &[ReadyStage<N::Config>],
        places: &Places,
        device: &Device,
    ) -> Result<Vec<PathBuf>, TrainError> {
        let mut written = Vec::new();
        for (name, members) in &self.averages {
            let path = places.average(name);
            let of_members = stages.iter().filter(|stage| members.contains(&stage.name));
            let done: Result<Vec<bool>, _> = of_members.map(ReadyStage::is_done).collect();
            if path.exists() || done?.contains(&false) {
                continue;
            }
            let parts: Vec<PathBuf> = members.iter().map(|member| places.best(member)).collect();
            Averaged::<N>::of(&parts, device)?.save(&path)?;
            written.push(path);
        }
        Ok(written)
    }
}

fn not_there(path: &Path) -> TrainError {
    let path = path.display();
    TrainError::Config(format!("{path} is not there, and no earlier stage leaves it"))
}

/// Whether the weights of one model fit the other.
fn same_shape<N: Network>(one: &N::Config, other: &N::Config) -> bool {
    let layout = |config| Layout::of(&N::build(config, &Device::flex()));
    one == other || layout(one).has_tensors_of(&layout(other))
}
