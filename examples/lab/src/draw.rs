//! Pictures of a part of a data set, drawn by a seed.

use std::path::Path;

use anyhow::{Context, Result};
use cifake::{Label, Picture, Sample, load_pixels};

use cifake_cli::args::{DataArgs, decoder};
use cifake_cli::part::Part;

/// Pictures of the mini set that `--smoke` works on.
const N_SMOKE: usize = 8;

/// The pictures that a program works on.
#[derive(Debug, Clone, clap::Args)]
pub struct DrawArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Pictures of which part: validation chooses, test reports.
    #[arg(long, value_enum, default_value = "validation")]
    pub split: Part,
    /// Pictures, half of them REAL, drawn by the seed.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub limit: usize,
    /// Seed of all that is drawn.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Work on eight pictures of the committed mini set.
    #[arg(long, hide = true)]
    pub smoke: bool,
}

/// Pictures of one size with what is known of them.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// The pictures.
    pub pictures: Vec<Picture>,
    /// Their names, labels and classes.
    pub samples: Vec<Sample>,
}

impl DrawArgs {
    /// The pictures, brought to `size` (width, height), of the part as `weights` split the data set.
    ///
    /// # Errors
    ///
    /// If there is no data set, or not one picture can be read; as [`Part::of`].
    pub fn draw(&self, size: (u32, u32), weights: &Path) -> Result<Drawn> {
        let data = self.data.path(self.smoke)?;
        let (part, limit) = match self.smoke && self.data.data.is_none() {
            true => (Part::Test, N_SMOKE),
            false => (self.split, self.limit),
        };
        let decoder = decoder();
        let part = part
            .of(&self.data, &data, weights, &decoder)
            .with_context(|| format!("cannot open {}", data.display()))?;
        let chosen = part.readable(limit, self.seed, &decoder)?;
        let pixels = load_pixels(&*part.dataset, &chosen, size, &decoder)?;
        let pictures = pixels
            .chunks_exact((size.0 * size.1 * 3) as usize)
            .map(|pixels| Picture::new(pixels.to_vec(), size.0, size.1))
            .collect::<Result<_, _>>()?;
        let samples = chosen.iter().map(|&index| part.dataset.samples()[index].clone()).collect();
        Ok(Drawn { pictures, samples })
    }
}

impl Drawn {
    /// The labels of the pictures.
    #[must_use]
    pub fn labels(&self) -> Vec<Label> {
        self.samples.iter().map(|sample| sample.label).collect()
    }
}

#[cfg(test)]
mod tests {
    use cifake_cli::args::mini;

    use super::*;

    #[test]
    fn a_seed_draws_the_same_pictures_half_of_them_real() {
        let draw = |seed| {
            let (data, split) = (DataArgs::at(&mini()), Part::Test);
            let args = DrawArgs { data, split, limit: 6, seed, smoke: false };
            args.draw((32, 16), Path::new("native")).expect("the mini set is there")
        };
        let (first, again, other) = (draw(1), draw(1), draw(2));
        let ids = |drawn: &Drawn| drawn.samples.iter().map(|s| s.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&first), ids(&again));
        assert_ne!(ids(&first), ids(&other));
        assert_eq!(first.labels().iter().filter(|label| **label == Label::Real).count(), 3);
        assert!(first.pictures.iter().all(|p| (p.width(), p.height()) == (32, 16)));
    }
}
