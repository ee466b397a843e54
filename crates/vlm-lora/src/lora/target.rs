//! The layers that an adapter is for: PEFT's rules (`peft/tuners/tuners_utils.py`, `check_target_module_exists`), with
//! its regular expressions.

use fancy_regex::{Regex, RegexBuilder};

use crate::error::AdapterError;
use crate::peft::{AdapterLimits, LoraConfig, Modules, OneOrMany, Patterns, shortened};

/// Steps that a search may take back: more than any sensible pattern needs on a path.
const MAX_BACKTRACKING: usize = 100_000;
/// Bytes of a compiled pattern.
const MAX_COMPILED: usize = 1 << 18;
/// Longest path that is compared: those of models are below 100 bytes.
const MAX_PATH: usize = 1024;

/// The effect of an adapter on a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Role {
    /// Nothing.
    Untouched,
    /// Adds two matrices of this rank, their product multiplied by `scale`.
    LowRank {
        /// Rank.
        rank: usize,
        /// Factor.
        scale: f64,
    },
    /// Has weights of its own.
    Whole,
}

/// The patterns of a configuration, compiled.
#[derive(Debug)]
pub(crate) struct Selection<'a> {
    config: &'a LoraConfig,
    targets: Names<'a>,
    excluded: Option<Names<'a>>,
    ranks: Vec<(Regex, usize)>,
    alphas: Vec<(Regex, f64)>,
    layers: Vec<Regex>,
}

/// Names of layers, compiled.
#[derive(Debug)]
pub(crate) enum Names<'a> {
    AllLinear,
    Whole(Regex),
    Endings(&'a [String]),
}

impl<'a> Selection<'a> {
    pub(crate) fn new(
        config: &'a LoraConfig,
        limits: &AdapterLimits,
    ) -> Result<Self, AdapterError> {
        config.check(limits)?;
        let layers = match (&config.layers_to_transform, &config.layers_pattern) {
            (Some(layers), _) if layers.as_slice().is_empty() => Vec::new(),
            (Some(_), Some(patterns)) if !patterns.as_slice().is_empty() => {
                let before = |pattern: &String| compile(pattern, r"\A(?:.*?\.)?(?:", r")\.(\d+)\.");
                patterns.as_slice().iter().map(before).collect::<Result<_, _>>()?
            }
            (Some(_), _) => vec![compile(r"[^.]*", r"\A.*?\.(?:", r")\.(\d+)\.")?],
            (None, _) => Vec::new(),
        };
        let excluded = config.exclude_modules.as_ref().filter(|modules| !modules.is_empty());
        Ok(Self {
            config,
            targets: Names::new(&config.target_modules, limits)?,
            excluded: excluded.map(|modules| Names::new(modules, limits)).transpose()?,
            ranks: endings(&config.rank_pattern)?,
            alphas: endings(&config.alpha_pattern)?,
            layers,
        })
    }

    /// The effect of the adapter on the layer at `path`.
    pub(crate) fn role(&self, path: &str) -> Result<Role, AdapterError> {
        if path.len() > MAX_PATH {
            return Ok(Role::Untouched);
        }
        if self.saved().iter().any(|name| is_part_of(path, name)) {
            return Ok(Role::Whole);
        }
        let excluded = match &self.excluded {
            Some(names) => names.contain(path)?,
            None => false,
        };
        if excluded || !self.targets.contain(path)? || !self.is_layer(path)? {
            return Ok(Role::Untouched);
        }
        let rank = first(&self.ranks, path)?.unwrap_or(self.config.r);
        let alpha = first(&self.alphas, path)?.unwrap_or(self.config.lora_alpha);
        Ok(Role::LowRank { rank, scale: self.config.scale(rank, alpha) })
    }

    /// Refuses a pattern of ranks or numerators that matches no layer of `paths`, which are the layers with
    /// two matrices. Such a pattern would be ignored silently.
    pub(crate) fn check_patterns(&self, paths: &[String]) -> Result<(), AdapterError> {
        let ranks = self.config.rank_pattern.keys().zip(self.ranks.iter().map(|(regex, _)| regex));
        let alphas =
            self.config.alpha_pattern.keys().zip(self.alphas.iter().map(|(regex, _)| regex));
        for (pattern, regex) in ranks.chain(alphas) {
            let mut found = false;
            for path in paths {
                found = found || matches(regex, path)?;
            }
            if !found {
                let reason = "it matches no layer that the adapter is for".to_owned();
                return Err(AdapterError::Pattern { pattern: shortened(pattern), reason });
            }
        }
        Ok(())
    }

    /// The entries of `modules_to_save`.
    pub(crate) fn saved(&self) -> &'a [String] {
        self.config.modules_to_save.as_deref().unwrap_or_default()
    }

    /// Whether the number in the path is one that `layers_to_transform` has.
    fn is_layer(&self, path: &str) -> Result<bool, AdapterError> {
        // A regular expression as `target_modules` is the whole condition.
        if self.layers.is_empty() || !matches!(self.targets, Names::Endings(_)) {
            return Ok(true);
        }
        if matches!(self.targets, Names::Endings(names) if names.iter().any(|name| name == path)) {
            return Ok(true);
        }
        let numbers = self.config.layers_to_transform.as_ref().map(OneOrMany::as_slice);
        for pattern in &self.layers {
            let found =
                pattern.captures(path).map_err(|error| refused(pattern.as_str(), &error))?;
            if let Some(number) = found.and_then(|groups| groups.get(1)?.as_str().parse().ok()) {
                return Ok(numbers.is_some_and(|numbers| numbers.contains(&number)));
            }
        }
        Ok(false)
    }
}

impl<'a> Names<'a> {
    pub(crate) fn new(modules: &'a Modules, limits: &AdapterLimits) -> Result<Self, AdapterError> {
        limits.check_patterns(modules.strings().iter())?;
        Ok(match modules {
            _ if modules.is_all_linear() => Self::AllLinear,
            Modules::Pattern(pattern) => Self::Whole(compile(pattern, r"\A(?:", r")\z")?),
            Modules::List(names) => Self::Endings(names),
        })
    }

    pub(crate) fn contain(&self, path: &str) -> Result<bool, AdapterError> {
        match self {
            Self::AllLinear => Ok(!is_head(path)),
            Self::Whole(pattern) => matches(pattern, path),
            Self::Endings(names) => Ok(names.iter().any(|name| ends_with(path, name))),
        }
    }
}

impl Modules {
    fn is_empty(&self) -> bool {
        match self {
            Self::Pattern(pattern) => pattern.is_empty(),
            Self::List(names) => names.is_empty(),
        }
    }
}

/// Whether the layer gives the scores of the next token: the one that `all-linear` leaves out.
pub(crate) fn is_head(path: &str) -> bool {
    path.split('.').any(|segment| matches!(segment, "lm_head" | "embed_out" | "output_projection"))
}

/// Whether the layer at `path`, or a module that it is part of, is called `name`.
///
/// PEFT also takes a name whose end alone is `name`, `my_projector` for `projector`; here a name is
/// whole.
pub(crate) fn is_part_of(path: &str, name: &str) -> bool {
    let mut ends = path.match_indices('.').map(|(at, _)| at).chain([path.len()]);
    ends.any(|end| ends_with(&path[..end], name))
}

/// Whether `path` is `name` or ends in it after a dot.
fn ends_with(path: &str, name: &str) -> bool {
    path.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// PEFT's keys of `rank_pattern`: regular expressions of the end of a path.
fn endings<T: Copy>(patterns: &Patterns<T>) -> Result<Vec<(Regex, T)>, AdapterError> {
    let compiled = |(pattern, &value): (&String, &T)| {
        // As in PEFT, a leading ^ means the whole path.
        let pattern = match pattern.strip_prefix('^') {
            Some(whole) => compile(whole, r"\A(?:", r")\z")?,
            None => compile(pattern, r"\A(?:.*\.)?(?:", r")\z")?,
        };
        Ok((pattern, value))
    };
    patterns.iter().map(compiled).collect()
}

fn first<T: Copy>(patterns: &[(Regex, T)], path: &str) -> Result<Option<T>, AdapterError> {
    for (pattern, value) in patterns {
        if matches(pattern, path)? {
            return Ok(Some(*value));
        }
    }
    Ok(None)
}

fn matches(pattern: &Regex, path: &str) -> Result<bool, AdapterError> {
    pattern.is_match(path).map_err(|error| refused(pattern.as_str(), &error))
}

fn compile(pattern: &str, before: &str, after: &str) -> Result<Regex, AdapterError> {
    let limited = |text: &str| {
        RegexBuilder::new(text)
            .backtrack_limit(MAX_BACKTRACKING)
            .delegate_size_limit(MAX_COMPILED)
            .build()
            .map_err(|error| refused(pattern, &error))
    };
    // On its own first: a pattern may not close the group that it is put into.
    limited(pattern)?;
    limited(&format!("{before}{pattern}{after}"))
}

fn refused(pattern: &str, error: &fancy_regex::Error) -> AdapterError {
    AdapterError::Pattern { pattern: shortened(pattern), reason: shortened(&error.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const Q: &str = "model.layers.11.self_attn.q_proj";

    fn role(config: &LoraConfig, path: &str) -> Role {
        let limits = AdapterLimits::default();
        let selection = Selection::new(config, &limits).expect("the patterns are regular");
        selection.role(path).expect("nothing takes long")
    }

    fn is_target(target_modules: Modules, path: &str) -> bool {
        role(&LoraConfig::new(8, 8.0, target_modules), path) != Role::Untouched
    }

    #[test]
    fn a_list_names_whole_segments_at_the_end() {
        assert!(is_target(Modules::list(&["q_proj"]), Q));
        assert!(is_target(Modules::list(&["self_attn.q_proj"]), Q));
        assert!(is_target(Modules::list(&[Q]), Q));
        assert!(!is_target(Modules::list(&["proj"]), Q));
        assert!(!is_target(Modules::list(&["self_attn"]), Q));
    }

    #[test]
    fn a_pattern_is_the_whole_path() {
        let pattern = |text: &str| Modules::Pattern(text.to_owned());
        assert!(is_target(pattern(r".*\.q_proj"), Q));
        assert!(!is_target(pattern("q_proj"), Q));
        assert!(!is_target(pattern("model"), Q));
        // The pattern that LLaMA-Factory writes where the vision tower stays frozen.
        let language = pattern(r"^(?!.*visual).*(?:q_proj|v_proj).*");
        assert!(is_target(language.clone(), Q));
        assert!(!is_target(language, "visual.blocks.0.attn.q_proj"));
    }

    #[test]
    fn all_linear_leaves_the_head_out() {
        assert!(is_target(Modules::all_linear(), Q));
        assert!(is_target(Modules::Pattern("ALL-LINEAR".to_owned()), Q));
        assert!(!is_target(Modules::all_linear(), "lm_head"));
        assert!(!is_target(Modules::all_linear(), "text_model.lm_head.linear"));
    }

    #[test]
    fn exclusions_win() {
        let config = LoraConfig::new(8, 8.0, Modules::all_linear());
        let config = config.without(Modules::list(&["q_proj"]));
        assert_eq!(role(&config, Q), Role::Untouched);
        let config = config.without(Modules::Pattern(r".*\.1[0-9]\..*".to_owned()));
        assert_eq!(role(&config, Q), Role::Untouched);
        assert_ne!(role(&config, "model.layers.2.self_attn.q_proj"), Role::Untouched);
    }

    #[test]
    fn ranks_and_numerators_have_patterns() {
        let mut config = LoraConfig::new(8, 16.0, Modules::all_linear());
        config.rank_pattern.insert(r"layers\.11\..*", 4);
        config.alpha_pattern.insert("q_proj", 2.0);
        assert_eq!(role(&config, Q), Role::LowRank { rank: 4, scale: 0.5 });
        let other = role(&config, "model.layers.1.mlp.up_proj");
        assert_eq!(other, Role::LowRank { rank: 8, scale: 2.0 });
    }

    #[test]
    fn the_first_pattern_of_the_file_counts() {
        let role_of = |patterns: [(&str, usize); 2]| {
            let mut config = LoraConfig::new(8, 8.0, Modules::list(&["q_proj"]));
            patterns
                .into_iter()
                .for_each(|(pattern, rank)| config.rank_pattern.insert(pattern, rank));
            role(&config, Q)
        };
        let [short, long] = [("q_proj", 4), ("self_attn.q_proj", 2)];
        assert_eq!(role_of([short, long]), Role::LowRank { rank: 4, scale: 2.0 });
        assert_eq!(role_of([long, short]), Role::LowRank { rank: 2, scale: 4.0 });
    }

    #[test]
    fn a_pattern_without_a_layer_is_refused() {
        let mut config = LoraConfig::new(8, 8.0, Modules::list(&["q_proj"]));
        config.alpha_pattern.insert("v_proj", 2.0);
        let limits = AdapterLimits::default();
        let selection = Selection::new(&config, &limits).expect("it is regular");
        let refused = selection.check_patterns(&[Q.to_owned()]);
        assert!(matches!(refused, Err(AdapterError::Pattern { .. })), "{refused:?}");
        selection.check_patterns(&[Q.replace('q', "v")]).expect("it matches");
    }

    #[test]
    fn layers_are_chosen_by_number() {
        let mut config = LoraConfig::new(8, 8.0, Modules::list(&["q_proj"]));
        config.layers_to_transform = Some(OneOrMany::Many(vec![1, 11]));
        assert_ne!(role(&config, Q), Role::Untouched);
        assert_eq!(role(&config, "model.layers.2.self_attn.q_proj"), Role::Untouched);
        config.layers_pattern = Some(OneOrMany::One("blocks".to_owned()));
        assert_eq!(role(&config, Q), Role::Untouched);
    }

    #[test]
    fn a_module_to_save_holds_its_layers() {
        let config = LoraConfig::new(8, 8.0, Modules::all_linear())
            .with_modules_to_save(&["projector", "mlp.up_proj"]);
        assert_eq!(role(&config, "projector.linear_1"), Role::Whole);
        assert_eq!(role(&config, "model.layers.1.mlp.up_proj"), Role::Whole);
        assert!(matches!(role(&config, "my_projector.linear_1"), Role::LowRank { .. }));
    }

    #[test]
    fn what_is_no_pattern_or_takes_too_long_is_an_error() {
        let limits = AdapterLimits::default();
        for pattern in ["(", "a)(b", "(?:a{1000}){1000}"] {
            let config = LoraConfig::new(8, 8.0, Modules::Pattern(pattern.to_owned()));
            let refused = Selection::new(&config, &limits);
            assert!(matches!(refused, Err(AdapterError::Pattern { .. })), "{pattern}");
        }
        let pattern = r"(?:(?=a)(a|aa)+)+b".to_owned();
        let config = LoraConfig::new(8, 8.0, Modules::Pattern(pattern));
        let selection = Selection::new(&config, &limits).expect("it is one");
        assert!(matches!(selection.role(&"a".repeat(900)), Err(AdapterError::Pattern { .. })));
    }
}
