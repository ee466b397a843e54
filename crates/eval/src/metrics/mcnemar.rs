//! Whether two detectors differ on the same samples.

use serde::{Deserialize, Serialize};

/// McNemar's test (Psychometrika 12, 1947) in its exact form: of the samples on which exactly one of two
/// detectors is right, each would be right on half if they were equally good.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct McNemar {
    /// Samples on which the first detector alone is right.
    pub only_first: usize,
    /// Samples on which the second detector alone is right.
    pub only_second: usize,
    /// The probability of a split at least as uneven between equally good detectors (two-sided), in `(0, 1]`; 0 where
    /// it is too small for a number.
    pub p: f64,
}

impl McNemar {
    /// `pairs` say of each sample whether the first and whether the second detector is right.
    #[must_use]
    pub fn new(pairs: impl IntoIterator<Item = [bool; 2]>) -> Self {
        let (mut only_first, mut only_second) = (0, 0);
        for pair in pairs {
            only_first += usize::from(pair == [true, false]);
            only_second += usize::from(pair == [false, true]);
        }
        Self { only_first, only_second, p: two_sided(only_first, only_second) }
    }
}

/// Twice the probability of at most the smaller of two counts, each of whose members is a fair coin.
fn two_sided(a: usize, b: usize) -> f64 {
    let (few, all) = (a.min(b), a + b);
    // The last term of the sum in logarithms, since one coin in thousands of tosses has no number.
    let chosen = |k: usize| ((all - k) as f64 / (k + 1) as f64).ln();
    let last = (0..few).map(chosen).sum::<f64>() - all as f64 * std::f64::consts::LN_2;
    let (mut sum, mut term) = (1.0, 1.0);
    for k in (1..=few).rev() {
        term *= k as f64 / (all - k + 1) as f64;
        sum += term;
    }
    (2.0 * sum * last.exp()).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_p_value_is_that_of_the_binomial_distribution() {
        let pairs = [([true, false], 5), ([false, true], 15), ([true, true], 70), ([false; 2], 9)];
        let pairs = pairs.into_iter().flat_map(|(pair, n)| std::iter::repeat_n(pair, n));
        let found = McNemar::new(pairs);
        assert_eq!((found.only_first, found.only_second), (5, 15));
        // 2 (1 + 20 + 190 + 1140 + 4845 + 15504) / 2^20
        assert!((found.p - 43_400.0 / 1_048_576.0).abs() < 1e-14, "{}", found.p);
        assert_eq!(two_sided(15, 5), two_sided(5, 15));
        assert!((two_sided(0, 3) - 0.25).abs() < 1e-15);
    }

    #[test]
    fn equal_counts_are_no_difference() {
        for n in [0, 1, 4, 3000] {
            assert_eq!(two_sided(n, n), 1.0);
        }
    }

    #[test]
    fn thousands_of_samples_have_a_p_value() {
        // 3 and 14.1 standard deviations off.
        assert!((0.0025..0.0028).contains(&two_sided(4850, 5150)), "{}", two_sided(4850, 5150));
        assert!((1e-46..1e-44).contains(&two_sided(9000, 11_000)), "{}", two_sided(9000, 11_000));
    }
}
