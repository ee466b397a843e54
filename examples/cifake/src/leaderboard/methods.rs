//! The methods that the project compares with, and what was published of them.

use super::row::Row;
use super::sample::PUBLISHED;

/// A method and its published accuracies on CIFAKE, in percent.
pub(super) struct Method {
    pub(super) name: &'static str,
    /// On pictures that nobody touched.
    pub(super) clean: Option<f64>,
    /// On a fixed set of attacked pictures.
    pub(super) attacked: Option<f64>,
    /// Names of the rows that are of this method; none where the network tells.
    names: &'static [&'static str],
    /// The prefixes of its networks' names.
    networks: &'static [&'static str],
    /// The command that makes a weight file of it.
    pub(super) command: &'static str,
}

/// The methods of the published tables: an entry to the contest Inter IIT Tech Meet 13, problem 7 by Adobe (2024).
/// The first that a row is of counts.
pub(super) static METHODS: [Method; 10] = [
    Method {
        name: "Robust TinyViT",
        clean: Some(98.67),
        attacked: Some(98.61),
        names: &["adversarial", "robust", "static-robust"],
        networks: &["tinyvit"],
        command: "cifake train --config examples/lab/recipes/static-robust-2.toml --out runs/static-robust",
    },
    Method {
        name: "TinyViT-21M",
        clean: Some(98.67),
        attacked: Some(92.87),
        names: &[],
        networks: &["tinyvit"],
        command: "cifake train --config examples/lab/recipes/native-2.toml --out runs/native",
    },
    Method {
        name: "ViT",
        clean: Some(98.25),
        attacked: Some(91.75),
        names: &[],
        networks: &["vit"],
        command: "cifake train --config examples/lab/recipes/vit.toml --out runs/vit",
    },
    Method {
        name: "ResNet-50",
        clean: Some(96.14),
        attacked: Some(86.13),
        names: &[],
        networks: &["resnet"],
        command: "cifake train --config examples/lab/recipes/resnet50.toml --out runs/resnet50",
    },
    Method {
        name: "FFT + VAE",
        clean: Some(94.12),
        attacked: None,
        names: &[],
        networks: &["fft"],
        command: "cifake train --config examples/lab/recipes/fft_vae.toml --out runs/fft-vae && cifake train --config examples/lab/recipes/fft_vae-2.toml --weights runs/fft-vae/best.safetensors --out runs/fft-vae-2",
    },
    Method {
        name: "Robust CLIP + MLP",
        clean: None,
        attacked: Some(97.23),
        names: &["fare", "robust-clip"],
        networks: &["fare", "clip", "univfd"],
        command: "cifake import clip --part tower=FILE --part head=FILE --out robust-clip.safetensors",
    },
    Method {
        name: "CLIP + MLP",
        clean: Some(94.01),
        attacked: Some(86.33),
        names: &[],
        networks: &["clip", "univfd"],
        command: "cifake import clip --part tower=FILE --part head=FILE --out clip.safetensors",
    },
    Method {
        name: "DIRE",
        clean: Some(57.40),
        attacked: None,
        names: &[],
        networks: &["dire"],
        command: "cifake import dire --part unet=FILE --part classifier=FILE --out dire.safetensors",
    },
    Method {
        name: "AEROBLADE",
        clean: Some(53.81),
        attacked: None,
        names: &[],
        networks: &["aeroblade"],
        command: "cifake import aeroblade --part autoencoder=FILE --part lpips=FILE --data PATH --out aeroblade.safetensors",
    },
    Method {
        name: "RIGID",
        clean: Some(46.34),
        attacked: None,
        names: &[],
        networks: &["rigid"],
        command: "cifake import rigid --part encoder=FILE --data PATH --out rigid.safetensors",
    },
];

impl Method {
    /// The rows of this method, in their order.
    pub(super) fn rows<'a>(&self, rows: &[&'a Row]) -> Vec<&'a Row> {
        let is_of = |row: &&&Row| Self::of(row).is_some_and(|method| method.name == self.name);
        rows.iter().filter(is_of).copied().collect()
    }

    /// The method of `row`; `None` for a row that was measured on other pictures than the test pictures of CIFAKE,
    /// since nothing was published of those.
    fn of(row: &Row) -> Option<&'static Self> {
        let made_of = &row.made_of;
        if made_of.split != "test" || !PUBLISHED.contains(&made_of.pictures_sha256.as_str()) {
            return None;
        }
        let fits = |method: &&Self| {
            let is_named = method.names.is_empty() || method.names.contains(&row.name.as_str());
            is_named && method.networks.iter().any(|network| row.architecture.starts_with(network))
        };
        METHODS.iter().find(fits)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::leaderboard::row::tests::row;

    #[test]
    fn a_row_is_of_one_method() {
        let named = |name: &str, network: &str| {
            let mut row = row(name, 0.9);
            row.architecture = network.to_owned();
            Method::of(&row).map(|method| method.name)
        };
        assert_eq!(named("native", "tinyvit-native@01"), Some("TinyViT-21M"));
        assert_eq!(named("static-robust", "tinyvit-native@01"), Some("Robust TinyViT"));
        assert_eq!(named("mine", "resnet18@01"), Some("ResNet-50"));
        assert_eq!(named("mine", "vit-small@01"), Some("ViT"));
        assert_eq!(named("mine", "clip-mlp@01"), Some("CLIP + MLP"));
        assert_eq!(named("robust-clip", "clip-mlp@01"), Some("Robust CLIP + MLP"));
        assert_eq!(named("mine", "unheard-of@01"), None);
        // A name alone is no method.
        assert_eq!(named("robust", "resnet18@01"), Some("ResNet-50"));
        assert_eq!(named("robust-clip", "unheard-of@01"), None);
        let row = row("native", 0.9);
        let of: usize = METHODS.iter().map(|method| method.rows(&[&row]).len()).sum();
        assert_eq!(of, 1);
    }

    #[test]
    fn nothing_is_published_of_other_pictures() {
        let changed = |change: fn(&mut Row)| {
            let mut row = row("native", 0.9);
            change(&mut row);
            Method::of(&row).map(|method| method.name)
        };
        assert_eq!(changed(|row| row.made_of.split = "train".to_owned()), None);
        assert_eq!(changed(|row| row.made_of.pictures_sha256 = "01".repeat(32)), None);
        let few = changed(|row| row.made_of.pictures_sha256 = PUBLISHED[1].to_owned());
        assert_eq!(few, Some("TinyViT-21M"));
    }

    #[test]
    fn a_recipe_of_the_repository_is_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let recipes = |method: &'static Method| {
            let words = method.command.split("--config ").skip(1);
            words.filter_map(|rest| rest.split(' ').next())
        };
        let recipes: Vec<&str> = METHODS.iter().flat_map(recipes).collect();
        assert!(recipes.len() >= 6, "{recipes:?}");
        for recipe in recipes {
            assert!(root.join(recipe).is_file(), "{recipe}");
        }
    }
}
