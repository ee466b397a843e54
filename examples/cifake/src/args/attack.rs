//! Which attacks.

use cifake_attacks::{Attack, Error, Norm, attack_named, kind_and_norm};

/// The attacks of the original system, of which the fixed set of attacked pictures is made.
const ORIGINAL: [&str; 4] =
    ["original-pgd-l2", "original-pgd-linf", "original-dct", "original-pixel"];

/// What the attacks of a program have in common where their names do not say it.
#[derive(Debug, Clone, clap::Args)]
pub struct AttackArgs {
    /// An attack, see below; may be given several times.
    #[arg(long = "attack", default_values = ["pgd-linf", "pgd-l2@0.5"], value_parser = kind_known)]
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
    pub fn suite(&self) -> Result<Vec<Box<dyn Attack>>, Error> {
        let steps = self.steps.map(usize::from);
        self.names().iter().map(|name| attack_named(name, steps)).collect()
    }
}

/// The attacks of a built set.
#[derive(Debug, Clone, clap::Args)]
pub struct OriginalArgs {
    /// One of the attacks that the set is made of; may be given several times.
    #[arg(long = "attack", default_values = ORIGINAL, value_parser = attack_known)]
    attacks: Vec<String>,
    /// Steps of the attacks that follow gradients [default: each attack's own].
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(1..))]
    steps: Option<u16>,
}

impl OriginalArgs {
    /// The attacks.
    ///
    /// # Errors
    ///
    /// As [`attack_named`].
    pub fn suite(&self) -> Result<Vec<Box<dyn Attack>>, Error> {
        let steps = self.steps.map(usize::from);
        self.attacks.iter().map(|name| attack_named(name, steps)).collect()
    }
}

/// `name`, if [`attack_named`] understands it: for the arguments of a program.
///
/// # Errors
///
/// As [`attack_named`].
pub fn attack_known(name: &str) -> Result<String, Error> {
    attack_named(name, None).map(|_| name.to_owned())
}

/// [`attack_known`], where the radius may stand elsewhere.
fn kind_known(name: &str) -> Result<String, Error> {
    let has_ball = !name.contains('@') && kind_and_norm(name).is_some();
    let whole = if has_ball { format!("{name}@1") } else { name.to_owned() };
    attack_known(&whole).map(|_| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(kind_known("apgd").is_ok() && kind_known("pgd-l2@0.5").is_ok());
        assert!(["apgd-", "dct-linf", "one-pixel-l2"].iter().all(|no| kind_known(no).is_err()));
    }
}
