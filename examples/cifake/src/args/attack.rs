//! The attacks of a program.

use anyhow::{Result, bail};
use cifake_attacks::{Attack, AttackName, Norm};

/// The attacks of the reference, with which the fixed set of attacked pictures is made.
const REFERENCE: [&str; 4] =
    ["reference-pgd-l2", "reference-pgd-linf", "reference-dct", "reference-pixel"];

/// Radius of an attack in a ball that has no other, in 255ths.
const RADIUS: f64 = 2.0;

/// One attack, with a radius and steps if its name has none.
#[derive(Debug, Clone, clap::Args)]
pub struct OneAttackArgs {
    /// Name of the attack, see below.
    #[arg(long, value_name = "NAME", default_value = "pgd-linf")]
    attack: AttackName,
    /// Radius in 255ths if the attack is named without one [default: 2].
    #[arg(long, value_name = "E")]
    epsilon_255: Option<f64>,
    /// Steps of a gradient attack [default: depends on the attack].
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(1..))]
    steps: Option<u16>,
}

impl OneAttackArgs {
    /// The attack.
    ///
    /// # Errors
    ///
    /// As [`AttackName::attack`]; a radius or steps that the attack does not take.
    pub fn attack(&self) -> Result<Box<dyn Attack>> {
        let attack = with_radius(self.attack, self.epsilon_255.unwrap_or(RADIUS));
        let made = attack.attack(self.steps.map(usize::from))?;
        check_radius(&[self.attack], self.epsilon_255.is_some())?;
        check_steps(&[self.attack], self.steps)?;
        Ok(made)
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

/// Whether `name` is an attack in a ball that was named without a radius.
fn lacks_radius(name: &AttackName) -> bool {
    name.number().is_none() && name.entry().norm().is_some()
}

/// Whether a number of steps changes the attack `name`.
fn takes_steps(name: AttackName) -> Result<bool> {
    let name = with_radius(name, RADIUS);
    let [one, two] = [1, 2].map(|steps| name.attack(Some(steps)));
    Ok(one?.parameters() != two?.parameters())
}

/// Refuses a radius apart from the names where each of `names` has its own or takes none.
fn check_radius(names: &[AttackName], is_given: bool) -> Result<()> {
    if is_given && !names.iter().any(lacks_radius) {
        bail!("--epsilon-255 changes nothing of {}; leave it out", listed(names));
    }
    Ok(())
}

/// Refuses a number of steps that none of `names` takes.
fn check_steps(names: &[AttackName], steps: Option<u16>) -> Result<()> {
    if steps.is_none() {
        return Ok(());
    }
    for name in names {
        if takes_steps(*name)? {
            return Ok(());
        }
    }
    bail!("--steps changes nothing of {}; leave it out", listed(names))
}

/// The attacks `names`, in `steps` those that take a number of them.
fn made(names: &[AttackName], steps: Option<u16>) -> Result<Vec<Box<dyn Attack>>> {
    let attack = |name: &AttackName| name.attack(steps.map(usize::from));
    let suite = names.iter().map(attack).collect::<Result<Vec<_>, _>>()?;
    check_steps(names, steps)?;
    Ok(suite)
}

fn listed(names: &[AttackName]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The attacks of an evaluation, with a radius and steps for those without their own.
#[derive(Debug, Clone, clap::Args)]
pub struct AttackArgs {
    /// Name of an attack, see below; may be given several times.
    #[arg(long = "attack", value_name = "NAME", default_values = ["pgd-linf", "pgd-l2@0.5"])]
    attacks: Vec<AttackName>,
    /// Radius in 255ths for the attacks named without one; may be given several times [default: 2].
    #[arg(long, value_name = "E")]
    epsilon_255: Vec<f64>,
    /// Steps of the gradient attacks [default: depends on the attack].
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(1..))]
    steps: Option<u16>,
}

impl AttackArgs {
    /// The names of the attacks; each attack in a ball has its radius.
    #[must_use]
    pub fn names(&self) -> Vec<AttackName> {
        let radii = match self.epsilon_255.is_empty() {
            true => std::slice::from_ref(&RADIUS),
            false => &self.epsilon_255[..],
        };
        let every_radius = |name: &AttackName| -> Vec<AttackName> {
            if !lacks_radius(name) {
                return vec![*name];
            }
            radii.iter().map(|&levels| with_radius(*name, levels)).collect()
        };
        self.attacks.iter().flat_map(every_radius).collect()
    }

    /// The attacks of [`names`](Self::names).
    ///
    /// # Errors
    ///
    /// As [`AttackName::attack`]; a radius or steps that no attack takes.
    pub fn suite(&self) -> Result<Vec<Box<dyn Attack>>> {
        let suite = made(&self.names(), self.steps)?;
        check_radius(&self.attacks, !self.epsilon_255.is_empty())?;
        Ok(suite)
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
    /// As [`AttackName::attack`]; steps that no attack takes.
    pub fn suite(&self) -> Result<Vec<Box<dyn Attack>>> {
        made(&self.attacks, self.steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_attack_has_the_names_of_several() {
        let made = |name: &str| {
            let attack: AttackName = name.parse().expect("it is in the table");
            let epsilon_255 = lacks_radius(&attack).then_some(4.0);
            let steps = name.starts_with("pgd").then_some(7);
            OneAttackArgs { attack, epsilon_255, steps }.attack()
        };
        let name = |name: &str| made(name).expect("an attack").name();
        assert_eq!(name("pgd-linf"), "PGD-7 linf 4/255");
        assert_eq!((name("pgd"), name("fgsm")), (name("pgd-linf"), name("fgsm-linf")));
        assert_eq!(name("pgd-linf@8"), "PGD-7 linf 8/255");
        assert!(name("pgd-l2").starts_with("PGD-7 l2 0.0156"), "{}", name("pgd-l2"));
        assert!(made("jpeg").is_err(), "a quality is no radius");
    }

    #[test]
    fn what_changes_no_attack_is_refused_by_its_name() {
        let named = |name: &str| name.parse::<AttackName>().expect("it is in the table");
        let one = |name, epsilon_255, steps| {
            OneAttackArgs { attack: named(name), epsilon_255, steps }.attack().map(|_| ())
        };
        let several = |names: &[&str], epsilon_255: &[f64], steps| {
            let attacks = names.iter().map(|name| named(name)).collect();
            AttackArgs { attacks, epsilon_255: epsilon_255.to_vec(), steps }.suite().map(|_| ())
        };
        let set =
            |name, steps| ReferenceArgs { attacks: vec![named(name)], steps }.suite().map(|_| ());
        for (outcome, words) in [
            (one("fgsm@4", Some(9.0), None), "--epsilon-255 changes nothing of fgsm-linf@4;"),
            (one("jpeg@50", Some(9.0), None), "--epsilon-255 changes nothing of jpeg@50;"),
            (one("fgsm", None, Some(5)), "--steps changes nothing of fgsm-linf;"),
            (one("jpeg@50", None, Some(3)), "--steps changes nothing of jpeg@50;"),
            (several(&["pgd@2"], &[4.0], None), "--epsilon-255 changes nothing of pgd-linf@2;"),
            (several(&["square", "noise@8"], &[], Some(3)), "of square-linf@2, noise-linf@8;"),
            (set("reference-dct", Some(1)), "--steps changes nothing of reference-dct;"),
        ] {
            let error = outcome.expect_err(words).to_string();
            assert!(error.contains(words), "{error}");
        }
        // One attack that takes it is enough.
        several(&["fgsm@4", "pgd"], &[4.0], Some(5)).expect("pgd takes both");
        several(&["fgsm@4"], &[], None).expect("nothing is given");
        for name in ["pgd-l2", "apgd", "apgd-margin-l2", "fab", "ensemble-l2", "dct"] {
            one(name, Some(4.0), Some(5)).expect(name);
        }
        set("reference-pgd-linf", Some(1)).expect("it takes steps");
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
