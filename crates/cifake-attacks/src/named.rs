//! Attacks by name, as programs and configurations take them.

use crate::{
    Apgd, Attack, Band, Corruption, DctNoise, Ensemble, Epsilon, Error, Fab, Loss, Norm, OnePixel,
    Pgd, PixelNoise, Square,
};

/// What [`attack_named`] understands, for `--help`.
pub const ATTACKS: &str = "\
Attacks in a ball, with the radius after @ in levels of a byte (linf) or in units of the range (l2):
  fgsm-linf@8  pgd-linf@2  pgd-l2@0.5  apgd-linf@2  apgd-l2@0.5  apgd-margin-linf@2
  fab-linf@2  square-linf@2  ensemble-linf@2  ensemble-l2@0.5  dct-l2@0.5
apgd, fab, square and ensemble alone mean linf, dct means l2. Without a ball:
  one-pixel  jpeg@50  blur@1  original-pgd-l2  original-pgd-linf  original-pixel  original-dct";

/// The attack called `name`, see [`ATTACKS`], with as many `steps` if it follows gradients; the
/// original's walk as far in them as in their own.
///
/// # Errors
///
/// If the name or its radius is not understood, or the number out of range.
pub fn attack_named(name: &str, steps: Option<usize>) -> Result<Box<dyn Attack>, Error> {
    let (kind, number) = match name.split_once('@') {
        Some((kind, number)) => {
            let parsed = number.parse::<f64>();
            let number = parsed.map_err(|_| Error::NoNumber { text: number.to_owned() })?;
            (kind, Some(number))
        }
        None => (name, None),
    };
    let unknown = || Error::UnknownAttack { name: name.to_owned() };
    if let Some(attack) = without_radius(kind, number, steps)? {
        return Ok(attack);
    }
    let (kind, norm) = kind_and_norm(kind).ok_or_else(unknown)?;
    let radius = number.ok_or_else(|| Error::MissingRadius { name: name.to_owned() })?;
    let epsilon = match norm {
        Norm::Linf => Epsilon::from_255(radius)?,
        Norm::L2 => Epsilon::new(radius)?,
    };
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
        "ensemble" => {
            Box::new(Ensemble::with_steps(norm, epsilon, steps.unwrap_or(Ensemble::STEPS)))
        }
        _ => return Err(unknown()),
    };
    Ok(attack)
}

/// The kind of an attack in a ball and the ball's norm: that after the last hyphen, or what is usual;
/// nothing where `name` has no ball.
#[must_use]
pub fn kind_and_norm(name: &str) -> Option<(&str, Norm)> {
    match name.rsplit_once('-') {
        Some((kind, "linf")) => Some((kind, Norm::Linf)),
        Some((kind, "l2")) => Some((kind, Norm::L2)),
        _ if matches!(name, "apgd" | "fab" | "square" | "ensemble") => Some((name, Norm::Linf)),
        _ if name == "dct" => Some((name, Norm::L2)),
        _ => None,
    }
}

/// The attack called `kind` if it is one without a ball.
fn without_radius(
    kind: &str,
    number: Option<f64>,
    steps: Option<usize>,
) -> Result<Option<Box<dyn Attack>>, Error> {
    let within = |number: f64, sound: bool, range| match sound {
        true => Ok(number),
        false => Err(Error::NumberOutOfRange { name: format!("{kind}@{number}"), range }),
    };
    let walked = |pgd: Pgd| match steps {
        Some(steps) => pgd.in_steps(steps),
        None => pgd,
    };
    Ok(Some(match (kind, number) {
        ("one-pixel", None) => Box::new(OnePixel::new()),
        ("original-pgd-l2", None) => Box::new(walked(Pgd::original_l2())),
        ("original-pgd-linf", None) => Box::new(walked(Pgd::original_linf())),
        ("original-pixel", None) => Box::new(PixelNoise::original()),
        ("original-dct", None) => Box::new(DctNoise::original()),
        ("jpeg", Some(quality)) => {
            let whole = (1.0..=100.0).contains(&quality) && quality.fract() == 0.0;
            let quality = within(quality, whole, "a whole quality from 1 to 100")?;
            Box::new(Corruption::Jpeg(quality as u8))
        }
        ("blur", Some(sigma)) => {
            let sound = (0.1..=100.0).contains(&sigma);
            Box::new(Corruption::Blur(within(sigma, sound, "a deviation from 0.1 to 100")? as f32))
        }
        _ => return Ok(None),
    }))
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
    fn a_radius_that_is_missing_or_wrong_is_named() {
        for (name, part) in [
            ("pgd-linf", "needs a radius"),
            ("pgd-l2@x", "no number"),
            ("no", "no attack"),
            ("jpeg@101", "a whole quality from 1 to 100"),
            ("blur@nan", "a deviation from 0.1 to 100"),
        ] {
            let error = attack_named(name, None).expect_err("not an attack");
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn steps_reach_every_attack_that_follows_gradients() {
        for (name, part) in [
            ("ensemble-linf@2", "steps: 7"),
            ("apgd-l2@0.5", "steps: 7"),
            ("fab-linf@2", "steps: 7"),
            ("original-pgd-l2", "steps: 7, step_size: Relative(0.0357"),
        ] {
            let attack = attack_named(name, Some(7)).expect("an attack");
            assert!(format!("{attack:?}").contains(part), "{attack:?}");
        }
    }
}
