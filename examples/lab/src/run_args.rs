//! The arguments of programs that train in a folder by a recipe.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cifake_cli::args::{DataArgs, decoder, threads};
use cifake_training::{DataConfig, TrainingData};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The arguments of a program that trains in a folder by a recipe.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Recipe [default: the built-in one, ddpm.toml or fare.toml of examples/lab/recipes]
    #[arg(long, value_name = "RECIPE")]
    pub config: Option<PathBuf>,
    /// The data set.
    #[command(flatten)]
    pub data: DataArgs,
    /// Folder of the run.
    #[arg(long, value_name = "FOLDER", required_unless_present = "smoke")]
    pub out: Option<PathBuf>,
    /// Print the rows as JSON.
    #[arg(long)]
    pub json: bool,
    /// flex, ndarray, wgpu or cuda:0.
    #[arg(long, default_value = "flex")]
    pub device: String,
    /// Threads of the run; 0 takes all cores. The weights do not depend on it.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = threads)]
    pub threads: usize,
    /// Trains a few steps on the mini data set into a temporary folder.
    #[arg(long, hide = true)]
    pub smoke: bool,
}

impl RunArgs {
    /// The recipe of `--config`, or that of `--smoke`, or the program's `own`.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or is no recipe.
    pub fn recipe<R: DeserializeOwned>(&self, own: &str, smoke: &str) -> Result<R> {
        let text = match &self.config {
            Some(path) => read(path)?,
            None => if self.smoke { smoke } else { own }.to_owned(),
        };
        toml::from_str(&text).context("the recipe is not valid")
    }

    /// The training pictures of the data set, as `config` chooses them.
    ///
    /// # Errors
    ///
    /// Those of [`TrainingData::load`]; no data set.
    pub fn training_data(&self, config: &DataConfig) -> Result<TrainingData> {
        let dataset = self.data.listed(&self.data.path(self.smoke)?)?.training()?;
        Ok(TrainingData::load(&dataset, &[], config, &decoder())?)
    }

    /// The rows of a run as text, a line each, or as JSON.
    ///
    /// # Errors
    ///
    /// Rows without a JSON form.
    pub fn table<T: Serialize + ToString>(&self, rows: &[T]) -> Result<String> {
        match self.json {
            true => Ok(serde_json::to_string(rows)? + "\n"),
            false => Ok(rows.iter().map(|row| row.to_string() + "\n").collect()),
        }
    }
}

fn read(path: &Path) -> Result<String> {
    let named = || format!("cannot read the recipe {}", path.display());
    std::fs::read_to_string(path).with_context(named)
}
