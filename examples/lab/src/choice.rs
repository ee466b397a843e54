//! Attacks by name, as programs take them.

use cifake_attacks::{
    Apgd, Attack, Corruption, DctNoise, Ensemble, Epsilon, Fab, Loss, Norm, OnePixel, Pgd,
    PixelNoise, Square,
};

/// What [`attack_named`] understands, for `--help`.
pub const ATTACKS: &str = "\
Attacks, with the radius after @ in levels of a byte (linf) or in units of the range (l2):
  fgsm-linf@8  pgd-linf@2  pgd-l2@0.5  apgd-linf@2  apgd-l2@0.5  apgd-margin-linf@2
  fab-linf@2  square-linf@2  ensemble-linf@2  ensemble-l2@0.5
Without a radius:
  one-pixel  jpeg@50  blur@1  original-pgd-l2  original-pgd-linf  original-pixel  original-dct";

/// The attacks of the original system, of which the fixed set of attacked pictures is made.
pub const ORIGINAL: [&str; 4] =
    ["original-pgd-l2", "original-pgd-linf", "original-dct", "original-pixel"];

/// The attack called `name`, see [`ATTACKS`].
///
/// # Errors
///
/// If the name or its radius is not understood.
pub fn attack_named(name: &str) -> Result<Box<dyn Attack>, String> {
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
    let (kind, norm) = match kind.rsplit_once('-') {
        Some((kind, "linf")) => (kind, Norm::Linf),
        Some((kind, "l2")) => (kind, Norm::L2),
        _ => return Err(unknown()),
    };
    let radius = number.ok_or_else(|| format!("`{name}` needs a radius, such as {name}@2"))?;
    let epsilon = match norm {
        Norm::Linf => Epsilon::from_255(radius),
        Norm::L2 => Epsilon::new(radius),
    };
    let epsilon = epsilon.map_err(|error| error.to_string())?;
    let attack: Box<dyn Attack> = match kind {
        "fgsm" if norm == Norm::Linf => Box::new(Pgd::fgsm(epsilon)),
        "pgd" => Box::new(Pgd::new(norm, epsilon).with_steps(20)),
        "apgd" => Box::new(Apgd::new(norm, epsilon)),
        "apgd-margin" => Box::new(Apgd::new(norm, epsilon).with_loss(Loss::Margin)),
        "fab" => Box::new(Fab::new(norm, epsilon)),
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
    attack_named(name).map(|_| name.to_owned())
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
            assert!(attack_named(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_radius_that_is_missing_or_wrong_is_named() {
        for (name, part) in
            [("pgd-linf", "needs a radius"), ("pgd-l2@x", "no number"), ("no", "no attack")]
        {
            let error = attack_named(name).expect_err("not an attack");
            assert!(error.contains(part), "{error}");
        }
    }
}
