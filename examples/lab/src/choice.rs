//! Attacks by name, as programs take them.

use cifake_attacks::{
    Apgd, Attack, Band, Corruption, DctNoise, Ensemble, Epsilon, Fab, Loss, Norm, OnePixel, Pgd,
    PixelNoise, Square,
};

/// What [`attack_named`] understands, for `--help`.
pub const ATTACKS: &str = "\
Attacks in a ball, with the radius after @ in levels of a byte (linf) or in units of the range (l2):
  fgsm-linf@8  pgd-linf@2  pgd-l2@0.5  apgd-linf@2  apgd-l2@0.5  apgd-margin-linf@2
  fab-linf@2  square-linf@2  ensemble-linf@2  ensemble-l2@0.5  dct-l2@0.5
apgd, fab, square and ensemble alone mean linf, dct means l2. Without a ball:
  one-pixel  jpeg@50  blur@1  original-pgd-l2  original-pgd-linf  original-pixel  original-dct";

/// The attacks of the original system, of which the fixed set of attacked pictures is made.
pub const ORIGINAL: [&str; 4] =
    ["original-pgd-l2", "original-pgd-linf", "original-dct", "original-pixel"];

/// What the attacks of a program have in common where their names do not say it.
#[derive(Debug, Clone, clap::Args)]
pub struct AttackArgs {
    /// An attack, see below; may be given several times.
    #[arg(long = "attack", default_values = ["pgd-linf", "pgd-l2@0.5"], value_parser = checked_kind)]
    attacks: Vec<String>,
    /// Radius, in 255ths, of the attacks that are named without one; may be given several times.
    #[arg(long, value_name = "E", default_value = "2")]
    epsilon_255: Vec<f64>,
    /// Steps of the attacks that follow gradients [default: each attack's own].
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(1..))]
    steps: Option<u16>,
}

impl AttackArgs {
    /// The names of the attacks, all that have a ball with their radius.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let every_radius = |name: &String| -> Vec<String> {
            match (name.contains('@'), kind_and_norm(name)) {
                (false, Some((kind, norm))) => {
                    let radius = |levels: &f64| match norm {
                        Norm::Linf => format!("{kind}-linf@{levels}"),
                        Norm::L2 => format!("{kind}-l2@{}", levels / 255.0),
                    };
                    self.epsilon_255.iter().map(radius).collect()
                }
                _ => vec![name.clone()],
            }
        };
        self.attacks.iter().flat_map(every_radius).collect()
    }

    /// The attacks of [`names`](Self::names).
    ///
    /// # Errors
    ///
    /// As [`attack_named`].
    pub fn suite(&self) -> Result<Vec<Box<dyn Attack>>, String> {
        let steps = self.steps.map(usize::from);
        self.names().iter().map(|name| attack_named(name, steps)).collect()
    }
}

/// The attack called `name`, see [`ATTACKS`], with as many `steps` if it follows gradients.
///
/// # Errors
///
/// If the name or its radius is not understood.
pub fn attack_named(name: &str, steps: Option<usize>) -> Result<Box<dyn Attack>, String> {
    let (kind, number) = match name.split_once('@') {
        Some((kind, number)) => {
            let number: f64 = number.parse().map_err(|_| format!("`{number}` is no number"))?;
            (kind, Some(number))
        }
        None => (name, None),
    };
    let unknown = || format!("there is no attack `{name}`\n{ATTACKS}");
    if let Some(attack) = without_radius(kind, number) {
        return Ok(attack);
    }
    let (kind, norm) = kind_and_norm(kind).ok_or_else(unknown)?;
    let radius = number.ok_or_else(|| format!("`{name}` needs a radius, such as {name}@2"))?;
    let epsilon = match norm {
        Norm::Linf => Epsilon::from_255(radius),
        Norm::L2 => Epsilon::new(radius),
    };
    let epsilon = epsilon.map_err(|error| error.to_string())?;
    let apgd = || match steps {
        Some(steps) => Apgd::new(norm, epsilon).with_steps(steps),
        None => Apgd::new(norm, epsilon),
    };
    let attack: Box<dyn Attack> = match kind {
        "fgsm" if norm == Norm::Linf => Box::new(Pgd::fgsm(epsilon)),
        "pgd" => Box::new(Pgd::new(norm, epsilon).with_steps(steps.unwrap_or(20))),
        "dct" if norm == Norm::L2 => {
            Box::new(Pgd::dct(epsilon, Band::low()).with_steps(steps.unwrap_or(20)))
        }
        "apgd" => Box::new(apgd()),
        "apgd-margin" => Box::new(apgd().with_loss(Loss::Margin)),
        "fab" => match steps {
            Some(steps) => Box::new(Fab::new(norm, epsilon).with_steps(steps)),
            None => Box::new(Fab::new(norm, epsilon)),
        },
        "square" => Box::new(Square::new(norm, epsilon)),
        "ensemble" => Box::new(Ensemble::standard(norm, epsilon)),
        _ => return Err(unknown()),
    };
    Ok(attack)
}

/// `name`, if [`attack_named`] understands it: for the arguments of a program.
///
/// # Errors
///
/// As [`attack_named`].
pub fn checked(name: &str) -> Result<String, String> {
    attack_named(name, None).map(|_| name.to_owned())
}

/// [`checked`], where the radius may stand elsewhere.
fn checked_kind(name: &str) -> Result<String, String> {
    let has_ball = !name.contains('@') && kind_and_norm(name).is_some();
    let whole = if has_ball { format!("{name}@1") } else { name.to_owned() };
    checked(&whole).map(|_| name.to_owned())
}

/// An attack in a ball and the ball's norm: that after the last hyphen, or what is usual.
fn kind_and_norm(name: &str) -> Option<(&str, Norm)> {
    match name.rsplit_once('-') {
        Some((kind, "linf")) => Some((kind, Norm::Linf)),
        Some((kind, "l2")) => Some((kind, Norm::L2)),
        _ if matches!(name, "apgd" | "fab" | "square" | "ensemble") => Some((name, Norm::Linf)),
        _ if name == "dct" => Some((name, Norm::L2)),
        _ => None,
    }
}

fn without_radius(kind: &str, number: Option<f64>) -> Option<Box<dyn Attack>> {
    Some(match (kind, number) {
        ("one-pixel", None) => Box::new(OnePixel::new()),
        ("original-pgd-l2", None) => Box::new(Pgd::original_l2()),
        ("original-pgd-linf", None) => Box::new(Pgd::original_linf()),
        ("original-pixel", None) => Box::new(PixelNoise::original()),
        ("original-dct", None) => Box::new(DctNoise::original()),
        ("jpeg", Some(quality)) if (1.0..=100.0).contains(&quality) && quality.fract() == 0.0 => {
            Box::new(Corruption::Jpeg(quality as u8))
        }
        ("blur", Some(sigma)) if (0.1..=100.0).contains(&sigma) => {
            Box::new(Corruption::Blur(sigma as f32))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_help_is_understood() {
        let names = ATTACKS.split_whitespace().filter(|word| {
            word.contains('@') && *word != "@"
                || word.starts_with("one-")
                || word.starts_with("original-")
        });
        let names: Vec<&str> = names.collect();
        assert!(names.len() > 12, "{names:?}");
        for name in names {
            assert!(attack_named(name, Some(3)).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_radius_apart_from_the_name_serves_every_ball() {
        let arguments = AttackArgs {
            attacks: ["apgd", "pgd-l2", "square-linf@8", "one-pixel"].map(str::to_owned).to_vec(),
            epsilon_255: vec![2.0, 51.0],
            steps: Some(7),
        };
        let names = arguments.names();
        let balls = ["apgd-linf@2", "apgd-linf@51", "pgd-l2@0.00784313725490196", "pgd-l2@0.2"];
        assert_eq!(names[..4], balls);
        assert_eq!(names[4..], ["square-linf@8", "one-pixel"]);
        let suite = arguments.suite().expect("all are attacks");
        assert_eq!(suite[2].name(), "PGD-7 l2 0.00784313725490196");
        assert!(checked_kind("apgd").is_ok() && checked_kind("pgd-l2@0.5").is_ok());
        assert!(["apgd-", "dct-linf", "one-pixel-l2"].iter().all(|no| checked_kind(no).is_err()));
    }

    #[test]
    fn a_radius_that_is_missing_or_wrong_is_named() {
        for (name, part) in
            [("pgd-linf", "needs a radius"), ("pgd-l2@x", "no number"), ("no", "no attack")]
        {
            let error = attack_named(name, None).expect_err("not an attack");
            assert!(error.contains(part), "{error}");
        }
    }
}
