//! Queues: several runs in a row.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde::Deserialize;

use crate::average::Averaged;
use crate::config::{Recipe, from_toml};
use crate::parameters::Layout;
use crate::places::Places;
use crate::stage::{Paths, ReadyStage, Start};
use crate::stage_config::{PREVIOUS, RANDOM, Stage};
use crate::{Network, TrainError};

/// Several runs of one kind of network in a row, as a TOML file.
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
    /// Means of best weights: a name, and the names of the stages. A mean is written to
    /// `OUT/NAME.safetensors` when the last of its stages is finished.
    #[serde(default)]
    pub averages: BTreeMap<String, Vec<String>>,
}

impl Queue {
    /// The queue in the file at `path`.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or that is not a queue; see also [`stages`](Self::stages).
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        from_toml(path)
    }

    /// The runs with their recipes read and their paths resolved. Everything that can be checked
    /// before the first run begins is checked.
    ///
    /// # Errors
    ///
    /// A name that is taken, or invalid as the name of a folder; a recipe that cannot be read or is
    /// invalid; a file that does not exist and that no earlier stage writes.
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
        let teacher = places.teacher(&recipe, &recipe_path)?;
        for path in start.path().into_iter().chain(teacher.iter().map(PathBuf::as_path)) {
            self.must_be_there(path, idx, places)?;
        }
        let folder = places.out.join(&stage.name);
        Ok(ReadyStage::new(stage, folder, recipe, model, Paths { extra, teacher, start }))
    }

    /// `path` must be a file, or one that a stage before `idx` writes.
    fn must_be_there(&self, path: &Path, idx: usize, places: &Places) -> Result<(), TrainError> {
        let (earlier, later) = self.stages.split_at(idx);
        let of_stage = earlier.iter().any(|stage| places.leaves(&stage.name, path));
        let done = |member: &String| earlier.iter().any(|stage| stage.name == *member);
        let is_average = |name: &String| places.average(name) == path;
        let of_average = self
            .averages
            .iter()
            .any(|(name, members)| is_average(name) && members.iter().all(done));
        let made_later = later.iter().any(|stage| places.leaves(&stage.name, path))
            || self.averages.keys().any(is_average);
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
                return Err(format!(
                    "the name `{name}` is invalid: use letters, digits, -, _ and ., and no dot in front"
                ));
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

    /// Writes every missing mean whose stages are all finished; returns the files.
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
    TrainError::Config(format!("{path} does not exist, and no earlier stage writes it"))
}

/// Whether the weights of one model fit the other.
fn same_shape<N: Network>(one: &N::Config, other: &N::Config) -> bool {
    let layout = |config| Layout::of(&N::build(config, &Device::flex()));
    one == other || layout(one).has_tensors_of(&layout(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Small;

    const RECIPE: &str = "model = { preset = 'small' }";
    const WIDE: &str = "model = { preset = 'small', width = 9 }";

    /// The stages of `queue` beside the recipes a.toml and wide.toml.
    fn stages(queue: &str) -> Result<Vec<ReadyStage<crate::testing::SmallConfig>>, TrainError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let taught = "\ntrain.teacher = { weights = ['{out}/b/best.safetensors'], temperature = 2, \
                      weight = 0.5 }";
        let files = [
            ("a.toml", RECIPE.to_owned()),
            ("wide.toml", WIDE.to_owned()),
            ("taught.toml", WIDE.to_owned() + taught),
            ("queue.toml", queue.to_owned()),
            ("old.safetensors", String::new()),
        ];
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("room");
        }
        let (file, out) = (folder.path().join("queue.toml"), folder.path().join("runs"));
        let places =
            Places { file: &file, out: &out, extra_root: Some(folder.path()), weights: None };
        let found = Queue::open(&file)?.stages::<Small>(&places)?;
        let short = |path: &Path| path.strip_prefix(folder.path()).expect("inside").to_owned();
        let short = |mut stage: ReadyStage<_>| {
            stage.folder = short(&stage.folder);
            stage.extra = stage.extra.iter().map(|path| short(path)).collect();
            stage.teacher = stage.teacher.iter().map(|path| short(path)).collect();
            stage.start = stage.start.path().map_or(Start::Random, |p| Start::Weights(short(p)));
            stage
        };
        Ok(found.into_iter().map(short).collect())
    }

    fn stage(name: &str, rest: &str) -> String {
        let (recipe, rest) = match rest.strip_suffix(".toml") {
            Some(_) => (rest, ""),
            None => ("a.toml", rest),
        };
        format!("[[stage]]\nname = '{name}'\nrecipe = '{recipe}'\n{rest}\n")
    }

    #[test]
    fn a_stage_starts_from_what_it_says() {
        let queue = [
            "averages = { mean = ['a', 'b'] }\n".to_owned(),
            stage("a", ""),
            stage("b", "extra = ['{extra}/a.toml']"),
            stage("c", "start = 'random'"),
            stage("d", "start = 'a'"),
            stage("e", "start = 'mean'"),
            stage("f", "start = 'old.safetensors'"),
            stage("g", "wide.toml"),
            stage("h", "taught.toml"),
        ];
        let found = stages(&queue.concat()).expect("it can be run");
        let starts: Vec<String> = found
            .iter()
            .map(|stage| stage.start.path().map_or("random".into(), |p| p.display().to_string()))
            .collect();
        let expected = [
            "random",
            "runs/a/best.safetensors",
            "random",
            "runs/a/best.safetensors",
            "runs/mean.safetensors",
            "old.safetensors",
            // Another shape.
            "random",
            "runs/g/best.safetensors",
        ];
        assert_eq!(starts, expected);
        assert_eq!(found[1].extra, [Path::new("a.toml")]);
        assert_eq!(found[7].teacher, [Path::new("runs/b/best.safetensors")]);
    }

    #[test]
    fn what_cannot_be_run_to_its_end_is_refused_before_it_begins() {
        let mean = "averages = { mean = ['a', 'b'] }\n";
        let broken = [
            ("averages = {}".to_owned(), "stage"),
            (stage("a/b", ""), "is invalid"),
            (stage("previous", ""), "is taken"),
            (stage("a", "") + &stage("a", ""), "is taken"),
            (stage("a", "nothing.toml"), "nothing.toml"),
            (stage("a", "start = 'b'") + &stage("b", ""), "does not exist"),
            (stage("a", "start = '{out}/b/best.safetensors'") + &stage("b", ""), "does not exist"),
            (stage("a", "taught.toml"), "does not exist"),
            (stage("a", "start = '{home}/x'"), "placeholder"),
            (stage("a", "extra = ['{extra}/none']"), "none does not exist"),
            (stage("a", "strat = 'random'"), "strat"),
            (format!("{mean}{}", stage("a", "")), "names no stage `b`"),
            (format!("{mean}{}{}", stage("a", ""), stage("b", "start = 'mean'")), "does not exist"),
        ];
        for (queue, reason) in broken {
            let error = stages(&queue).expect_err("it cannot be run").to_string();
            assert!(error.contains(reason), "{queue}: {error}");
        }
    }

    #[test]
    fn a_stage_is_done_until_its_recipe_changes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut done = stages(&stage("a", "")).expect("it can be run").remove(0);
        let mut other = stages(&stage("a", "wide.toml")).expect("it can be run").remove(0);
        (done.folder, other.folder) = (folder.path().to_owned(), folder.path().to_owned());
        assert!(!done.is_done().expect("nothing is there"));
        done.finish().expect("room");
        assert!(done.is_done().expect("it was written"));
        let error = other.is_done().expect_err("another recipe").to_string();
        assert!(error.contains("another recipe"), "{error}");
    }
}
