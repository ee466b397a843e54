//! Whether two models differ by more than chance.

use serde::{Deserialize, Serialize};

use crate::Error;

/// McNemar's test of two models on the same samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct McNemar {
    /// Samples that only the first model gets right.
    pub n_only_first: usize,
    /// Samples that only the second model gets right.
    pub n_only_second: usize,
    /// Probability of a difference at least this large between equally good models, two-sided and
    /// exact (binomial).
    pub p_value: f64,
}

/// Compares two models by which samples each of them gets right.
///
/// # Errors
/// [`Error::LengthMismatch`], [`Error::NoSamples`].
pub fn mcnemar(first_right: &[bool], second_right: &[bool]) -> Result<McNemar, Error> {
    let (scores, labels) = (first_right.len(), second_right.len());
    if scores != labels {
        return Err(Error::LengthMismatch { scores, labels });
    }
    if first_right.is_empty() {
        return Err(Error::NoSamples);
    }
    let pairs = || first_right.iter().zip(second_right);
    let n_only_first = pairs().filter(|(first, second)| **first && !**second).count();
    let n_only_second = pairs().filter(|(first, second)| !**first && **second).count();
    let p_value = two_sided(n_only_first.min(n_only_second), n_only_first + n_only_second);
    Ok(McNemar { n_only_first, n_only_second, p_value })
}

/// Probability that `n` throws of a coin give at most `k` heads or at most `k` tails.
fn two_sided(k: usize, n: usize) -> f64 {
    let mut ln_term = -(n as f64) * std::f64::consts::LN_2;
    let mut sum = ln_term.exp();
    for i in 1..=k {
        ln_term += ((n - i + 1) as f64 / i as f64).ln();
        sum += ln_term.exp();
    }
    (2.0 * sum).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(n_only_first: usize, n_only_second: usize) -> McNemar {
        let first: Vec<bool> = (0..n_only_first + n_only_second + 3)
            .map(|index| index < n_only_first || index >= n_only_first + n_only_second)
            .collect();
        let second: Vec<bool> = (0..first.len()).map(|index| index >= n_only_first).collect();
        mcnemar(&first, &second).expect("lists of one length")
    }

    #[test]
    fn the_p_value_is_the_exact_binomial_one() {
        // 2 * (1 + 10 + 45) / 2^10
        let result = compare(8, 2);
        assert_eq!((result.n_only_first, result.n_only_second), (8, 2));
        assert!((result.p_value - 112.0 / 1024.0).abs() < 1e-12);
        // scipy.stats.binomtest(250, 600).pvalue
        assert!((compare(250, 350).p_value - 5.114_064_866_353_935e-5).abs() < 1e-12);
    }

    #[test]
    fn equal_models_do_not_differ() {
        assert_eq!(compare(0, 0).p_value, 1.0);
        assert_eq!(compare(7, 7).p_value, 1.0);
    }

    #[test]
    fn lists_of_different_lengths_are_refused() {
        assert!(matches!(mcnemar(&[true], &[]), Err(Error::LengthMismatch { .. })));
        assert!(matches!(mcnemar(&[], &[]), Err(Error::NoSamples)));
    }
}
