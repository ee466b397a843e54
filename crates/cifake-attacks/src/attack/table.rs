//! The attacks by name, for programs, recipes and sets.

use std::fmt;
use std::str::FromStr;

use super::{
    Apgd, Band, Corruption, DctNoise, Ensemble, Fab, OnePixel, Pgd, PixelNoise, RandomNoise, Square,
};
use crate::kit::{Attack, Loss, Norm};
use crate::{Epsilon, Error};

/// An attack that a program can name: one entry of [`ATTACKS`].
#[derive(Debug)]
#[non_exhaustive]
pub struct AttackEntry {
    /// The name, such as `pgd-linf`.
    pub name: &'static str,
    /// Other names of the same attack.
    pub aliases: &'static [&'static str],
    /// An example of the number after `@`; empty if the attack takes none.
    pub example: &'static str,
    constructor: Constructor,
}

/// The constructor of an attack, from the number after `@` and the number of steps.
#[derive(Debug)]
enum Constructor {
    /// In a ball, with the radius as the number.
    Ball(Norm, fn(Norm, Epsilon, Option<usize>) -> Box<dyn Attack>),
    /// With a number in the range in words; `None` outside it.
    Number(&'static str, fn(f64) -> Option<Box<dyn Attack>>),
    /// Without a number.
    Plain(fn(Option<usize>) -> Box<dyn Attack>),
}

/// All attacks with a name. A new attack is one more line here.
pub static ATTACKS: &[AttackEntry] = &[
    linf("fgsm-linf", &["fgsm"], "8", |_, epsilon, _| Box::new(Pgd::fgsm(epsilon))),
    linf("pgd-linf", &["pgd"], "2", pgd),
    l2("pgd-l2", &[], "0.5", pgd),
    linf("apgd-linf", &["apgd"], "2", |n, e, steps| Box::new(apgd(n, e, steps))),
    l2("apgd-l2", &[], "0.5", |n, e, steps| Box::new(apgd(n, e, steps))),
    linf("apgd-margin-linf", &["apgd-margin"], "2", apgd_margin),
    l2("apgd-margin-l2", &[], "0.5", apgd_margin),
    linf("fab-linf", &["fab"], "2", fab),
    l2("fab-l2", &[], "0.5", fab),
    linf("square-linf", &["square"], "2", |n, e, _| Box::new(Square::new(n, e))),
    l2("square-l2", &[], "0.5", |n, e, _| Box::new(Square::new(n, e))),
    linf("noise-linf", &["noise"], "8", |n, e, _| Box::new(RandomNoise::new(n, e))),
    l2("noise-l2", &[], "0.5", |n, e, _| Box::new(RandomNoise::new(n, e))),
    linf("ensemble-linf", &["ensemble"], "2", ensemble),
    l2("ensemble-l2", &[], "0.5", ensemble),
    l2("dct-l2", &["dct"], "0.5", dct),
    plain("one-pixel", &[], |_| Box::new(OnePixel::new())),
    number("jpeg", "50", "a whole quality from 1 to 100", jpeg),
    number("blur", "1", "a standard deviation from 0.1 to 100", blur),
    plain("reference-pgd-l2", &["original-pgd-l2"], |n| walked(Pgd::reference_l2(), n)),
    plain("reference-pgd-linf", &["original-pgd-linf"], |n| walked(Pgd::reference_linf(), n)),
    plain("reference-pixel", &["original-pixel"], |_| Box::new(PixelNoise::reference())),
    plain("reference-dct", &["original-dct"], |_| Box::new(DctNoise::reference())),
];

type Names = &'static [&'static str];
type InBall = fn(Norm, Epsilon, Option<usize>) -> Box<dyn Attack>;

const fn linf(
    name: &'static str,
    aliases: Names,
    example: &'static str,
    new: InBall,
) -> AttackEntry {
    AttackEntry { name, aliases, example, constructor: Constructor::Ball(Norm::Linf, new) }
}

const fn l2(name: &'static str, aliases: Names, example: &'static str, new: InBall) -> AttackEntry {
    AttackEntry { name, aliases, example, constructor: Constructor::Ball(Norm::L2, new) }
}

const fn number(
    name: &'static str,
    example: &'static str,
    range: &'static str,
    new: fn(f64) -> Option<Box<dyn Attack>>,
) -> AttackEntry {
    AttackEntry { name, aliases: &[], example, constructor: Constructor::Number(range, new) }
}

const fn plain(
    name: &'static str,
    aliases: Names,
    new: fn(Option<usize>) -> Box<dyn Attack>,
) -> AttackEntry {
    AttackEntry { name, aliases, example: "", constructor: Constructor::Plain(new) }
}

fn pgd(norm: Norm, epsilon: Epsilon, steps: Option<usize>) -> Box<dyn Attack> {
    Box::new(Pgd::new(norm, epsilon).with_steps(steps.unwrap_or(20)))
}

fn dct(_: Norm, epsilon: Epsilon, steps: Option<usize>) -> Box<dyn Attack> {
    Box::new(Pgd::dct(epsilon, Band::low()).with_steps(steps.unwrap_or(20)))
}

fn apgd(norm: Norm, epsilon: Epsilon, steps: Option<usize>) -> Apgd {
    let attack = Apgd::new(norm, epsilon);
    match steps {
        Some(steps) => attack.with_steps(steps),
        None => attack,
    }
}

fn apgd_margin(norm: Norm, epsilon: Epsilon, steps: Option<usize>) -> Box<dyn Attack> {
    Box::new(apgd(norm, epsilon, steps).with_loss(Loss::Margin))
}

fn fab(norm: Norm, epsilon: Epsilon, steps: Option<usize>) -> Box<dyn Attack> {
    let attack = Fab::new(norm, epsilon);
    Box::new(match steps {
        Some(steps) => attack.with_steps(steps),
        None => attack,
    })
}

fn ensemble(norm: Norm, epsilon: Epsilon, steps: Option<usize>) -> Box<dyn Attack> {
    Box::new(Ensemble::with_steps(norm, epsilon, steps.unwrap_or(Ensemble::STEPS)))
}

fn jpeg(quality: f64) -> Option<Box<dyn Attack>> {
    let is_whole = (1.0..=100.0).contains(&quality) && quality.fract() == 0.0;
    is_whole.then(|| -> Box<dyn Attack> { Box::new(Corruption::Jpeg(quality as u8)) })
}

fn blur(sigma: f64) -> Option<Box<dyn Attack>> {
    let is_inside = (0.1..=100.0).contains(&sigma);
    is_inside.then(|| -> Box<dyn Attack> { Box::new(Corruption::Blur(sigma as f32)) })
}

/// `pgd` in another number of steps of the same total length.
fn walked(pgd: Pgd, steps: Option<usize>) -> Box<dyn Attack> {
    Box::new(match steps {
        Some(steps) => pgd.in_steps(steps),
        None => pgd,
    })
}

impl AttackEntry {
    /// The ball's norm; `None` for an attack without a ball.
    #[must_use]
    pub fn norm(&self) -> Option<Norm> {
        match self.constructor {
            Constructor::Ball(norm, _) => Some(norm),
            Constructor::Number(..) | Constructor::Plain(_) => None,
        }
    }
}

/// The help text on attacks and their names, for programs.
#[must_use]
pub fn attacks_help() -> String {
    let list = |is_listed: fn(&AttackEntry) -> bool| {
        let written = |entry: &AttackEntry| match entry.example {
            "" => entry.name.to_owned(),
            example => format!("{}@{example}", entry.name),
        };
        let names: Vec<_> = ATTACKS.iter().filter(|entry| is_listed(entry)).map(written).collect();
        let lines: Vec<_> = names.chunks(4).map(|line| format!("  {}", line.join("  "))).collect();
        lines.join("\n")
    };
    let aliases = ATTACKS.iter().flat_map(|entry| {
        entry.aliases.iter().map(move |alias| format!("{alias} = {}", entry.name))
    });
    format!(
        "Attacks in a ball. The number after @ is the radius, in levels of a byte (linf) or in units \
         of the pixel range (l2):\n{}\nAttacks without a ball:\n{}\nOther names:\n  {}",
        list(|entry| entry.norm().is_some()),
        list(|entry| entry.norm().is_none()),
        aliases.collect::<Vec<_>>().join("\n  ")
    )
}

/// A name from [`ATTACKS`], with the number after `@` where one is given: `apgd-linf@2`.
///
/// ```
/// use cifake_attacks::AttackName;
///
/// let name: AttackName = "apgd@2".parse()?;
/// assert_eq!(name.to_string(), "apgd-linf@2");
/// assert_eq!(name.attack(None)?.name(), "APGD-CE linf 2/255");
/// # Ok::<(), cifake_attacks::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct AttackName {
    entry: &'static AttackEntry,
    number: Option<f64>,
}

impl PartialEq for AttackName {
    fn eq(&self, other: &Self) -> bool {
        self.entry.name == other.entry.name && self.number == other.number
    }
}

impl AttackName {
    /// The entry of the table.
    #[must_use]
    pub fn entry(&self) -> &'static AttackEntry {
        self.entry
    }

    /// The number after `@`, for a ball the radius.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        self.number
    }

    /// The same attack with another number after `@`.
    #[must_use]
    pub fn with_number(self, number: f64) -> Self {
        Self { number: Some(number), ..self }
    }

    /// The attack. `steps` is the number of steps of a gradient attack, its default if `None`.
    ///
    /// The PGD attacks of the reference keep the total length of their steps.
    ///
    /// # Errors
    ///
    /// [`Error::MissingRadius`], [`Error::Epsilon`] and [`Error::NumberOutOfRange`].
    pub fn attack(&self, steps: Option<usize>) -> Result<Box<dyn Attack>, Error> {
        let missing = || Error::MissingRadius {
            name: self.entry.name.to_owned(),
            example: self.entry.example,
        };
        match self.entry.constructor {
            Constructor::Plain(new) => Ok(new(steps)),
            Constructor::Number(range, new) => new(self.number.ok_or_else(missing)?)
                .ok_or_else(|| Error::NumberOutOfRange { name: self.to_string(), range }),
            Constructor::Ball(norm, new) => {
                let radius = self.number.ok_or_else(missing)?;
                let epsilon = match norm {
                    Norm::Linf => Epsilon::from_255(radius)?,
                    Norm::L2 => Epsilon::new(radius)?,
                };
                Ok(new(norm, epsilon, steps))
            }
        }
    }
}

impl FromStr for AttackName {
    type Err = Error;

    /// Reads a name or an alias, with or without a number after `@`.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownAttack`], [`Error::NotANumber`], and those of [`AttackName::attack`] where a
    /// number is given.
    fn from_str(text: &str) -> Result<Self, Error> {
        let unknown = || Error::UnknownAttack { name: text.to_owned(), known: attacks_help() };
        let (kind, number) = match text.split_once('@') {
            Some((kind, number)) => (kind, Some(number)),
            None => (text, None),
        };
        let is_named = |entry: &&AttackEntry| entry.name == kind || entry.aliases.contains(&kind);
        let entry = ATTACKS.iter().find(is_named).ok_or_else(unknown)?;
        let parse = |number: &str| {
            number.parse::<f64>().map_err(|_| Error::NotANumber { text: number.to_owned() })
        };
        let name = Self { entry, number: number.map(parse).transpose()? };
        if name.number.is_some() {
            if matches!(entry.constructor, Constructor::Plain(_)) {
                return Err(unknown());
            }
            name.attack(None)?;
        }
        Ok(name)
    }
}

impl fmt::Display for AttackName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => write!(f, "{}@{number}", self.entry.name),
            None => f.write_str(self.entry.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn attack(name: &str, steps: Option<usize>) -> Result<Box<dyn Attack>, Error> {
        name.parse::<AttackName>()?.attack(steps)
    }

    #[test]
    fn names_and_aliases_differ_and_each_makes_an_attack() {
        let mut seen = HashSet::new();
        for entry in ATTACKS {
            for name in entry.aliases.iter().chain([&entry.name]) {
                assert!(seen.insert(*name), "{name} is named twice");
                let whole = match entry.example {
                    "" => (*name).to_owned(),
                    example => format!("{name}@{example}"),
                };
                let parsed: AttackName = whole.parse().expect("it is in the table");
                assert_eq!(parsed.entry().name, entry.name);
                assert_eq!(parsed.to_string().parse::<AttackName>().expect("its own form"), parsed);
                let made = parsed.attack(Some(3)).expect("the example is in range");
                assert!(made.parameters().contains('{'), "{}", made.parameters());
                // Those of the reference have a radius of their own.
                assert!(entry.norm().is_none() || made.epsilon().is_some(), "{name}");
            }
        }
        assert!(attacks_help().contains("apgd = apgd-linf"), "{}", attacks_help());
    }

    #[test]
    fn a_radius_that_is_missing_or_wrong_is_named() {
        for (name, part) in [
            ("pgd-linf", "pgd-linf@2"),
            ("jpeg", "jpeg@50"),
            ("pgd-l2@x", "not a number"),
            ("pgd-l2@-1", "negative"),
            ("no", "no attack"),
            ("one-pixel@2", "no attack"),
            ("jpeg@101", "a whole quality from 1 to 100"),
            ("blur@nan", "a standard deviation from 0.1 to 100"),
        ] {
            let error = attack(name, None).expect_err("not an attack");
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn steps_reach_every_gradient_attack() {
        for (name, part) in [
            ("ensemble-linf@2", "\"steps\":7"),
            ("apgd-l2@0.5", "\"steps\":7"),
            ("fab-linf@2", "\"steps\":7"),
            ("reference-pgd-l2", "\"steps\":7,\"step_size\":{\"relative\":0.0357"),
        ] {
            let attack = attack(name, Some(7)).expect("an attack");
            assert!(attack.parameters().contains(part), "{}", attack.parameters());
        }
    }
}
