//! The attacks of a program.

use cifake_attacks::{Attack, AttackName, Error, Norm};

/// The attacks of the reference, with which the fixed set of attacked pictures is made.
const REFERENCE: [&str; 4] =
    ["reference-pgd-l2", "reference-pgd-linf", "reference-dct", "reference-pixel"];

/// One attack, with a radius and steps if its name has none.
#[derive(Debug, Clone, clap::Args)]
pub struct OneAttackArgs {
    /// Name of the attack, see below.
    #[arg(long, value_name = "NAME", default_value = "pgd-linf@2")]
    attack: AttackName,
    /// Radius in 255ths if the attack is named without one.
    #[arg(long, value_name = "E", default_value_t = 2.0)]
    epsilon_255: f64,
    /// Steps of a gradient attack [default: depends on the attack].
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(1..))]
    steps: Option<u16>,
}

impl OneAttackArgs {
    /// The attack.
    ///
    /// # Errors
    ///
    /// As [`AttackName::attack`].
    pub fn attack(&self) -> Result<Box<dyn Attack>, Error> {
        let name = with_radius(self.attack, self.epsilon_255);
        name.attack(self.steps.map(usize::from))
    }
}

/// `name` with a radius of `levels` 255ths, if it is an attack in a ball that was named without a radius.
fn with_radius(name: AttackName, levels: f64) -> AttackName {
    match (name.number(), name.entry().norm()) {
        (None, Some(Norm::Linf)) => name.with_number(levels),
        (None, Some(Norm::L2)) => name.with_number(levels / 255.0),
        _ => name,
    }
}

/// The attacks of an evaluation, with a radius and steps for those without their own.
#[derive(Debug, Clone, clap::Args)]
pub struct AttackArgs {
    /// Name of an attack, see below; may be given several times.
    #[arg(long = "attack", value_name = "NAME", default_values = ["pgd-linf", "pgd-l2@0.5"])]
    attacks: Vec<AttackName>,
    /// Radius in 255ths for the attacks named without one; may be given several times.
    #[arg(long, value_name = "E", default_value = "2")]
    epsilon_255: Vec<f64>,
    /// Steps of the gradient attacks [default: depends on the attack].
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(1..))]
    steps: Option<u16>,
}

impl AttackArgs {
    /// The names of the attacks; each attack in a ball has its radius.
    #[must_use]
    pub fn names(&self) -> Vec<AttackName> {
        let every_radius = |name: &AttackName| -> Vec<AttackName> {
            if name.number().is_some() || name.entry().norm().is_none() {
                return vec![*name];
            }
            self.epsilon_255.iter().map(|&levels| with_radius(*name, levels)).collect()
        };
        self.attacks.iter().flat_map(every_radius).collect()
    }

    /// The attacks of [`names`](Self::names).
    ///
    /// # Errors
    ///
    /// As [`AttackName::attack`].
    pub fn suite(&self) -> Result<Vec<Box<dyn Attack>>, Error> {
        let steps = self.steps.map(usize::from);
        self.names().iter().map(|name| name.attack(steps)).collect()
    }
}

/// The attacks of a built set.
#[derive(Debug, Clone, clap::Args)]
pub struct ReferenceArgs {
    /// Name of an attack of the set; may be given several times.
    #[arg(long = "attack", value_name = "NAME", default_values = REFERENCE)]
    attacks: Vec<AttackName>,
    /// Steps of the gradient attacks [default: depends on the attack].
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(1..))]
    steps: Option<u16>,
}

impl ReferenceArgs {
    /// The attacks.
    ///
    /// # Errors
    ///
    /// As [`AttackName::attack`].
    pub fn suite(&self) -> Result<Vec<Box<dyn Attack>>, Error> {
        let steps = self.steps.map(usize::from);
        self.attacks.iter().map(|name| name.attack(steps)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_attack_has_the_names_of_several() {
        let made = |name: &str| {
            let attack = name.parse().expect("it is in the table");
            OneAttackArgs { attack, epsilon_255: 4.0, steps: Some(7) }.attack()
        };
        let name = |name: &str| made(name).expect("an attack").name();
        assert_eq!(name("pgd-linf"), "PGD-7 linf 4/255");
        assert_eq!((name("pgd"), name("fgsm")), (name("pgd-linf"), name("fgsm-linf")));
        assert_eq!(name("pgd-linf@8"), "PGD-7 linf 8/255");
        assert!(name("pgd-l2").starts_with("PGD-7 l2 0.0156"), "{}", name("pgd-l2"));
        assert!(made("jpeg").is_err(), "a quality is no radius");
    }

    #[test]
    fn a_radius_apart_from_the_name_serves_every_ball() {
        let arguments = AttackArgs {
            attacks: ["apgd", "pgd-l2", "square-linf@8", "one-pixel"]
                .map(|name| name.parse().expect("it is in the table"))
                .to_vec(),
            epsilon_255: vec![2.0, 51.0],
            steps: Some(7),
        };
        let names: Vec<String> = arguments.names().iter().map(ToString::to_string).collect();
        let balls = ["apgd-linf@2", "apgd-linf@51", "pgd-l2@0.00784313725490196", "pgd-l2@0.2"];
        assert_eq!(names[..4], balls);
        assert_eq!(names[4..], ["square-linf@8", "one-pixel"]);
        let suite = arguments.suite().expect("all are attacks");
        assert_eq!(suite[2].name(), "PGD-7 l2 0.00784313725490196");
        let unknown = |name: &&str| name.parse::<AttackName>().is_err();
        assert!(["apgd-", "dct-linf", "one-pixel-l2"].iter().all(unknown));
    }
}
