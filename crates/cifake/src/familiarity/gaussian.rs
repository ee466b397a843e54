//! Normal distributions of one covariance.

use crate::DetectorError;

/// Groups, at most: an untrusted file costs no more.
const MAX_GROUPS: usize = 64;

/// Normal distributions around several means with one covariance, as its inverse Cholesky factor: with
/// `covariance = L L^T`, `|L^-1 (x - mean)|^2` is the squared Mahalanobis distance.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gaussians {
    /// `[n_groups, dim]`.
    means: Vec<f32>,
    /// `L^-1`, `[dim, dim]`, lower triangular.
    factor: Vec<f32>,
    /// `L^-1 mean`, `[n_groups, dim]`.
    whitened_means: Vec<f32>,
    dim: usize,
}

impl Gaussians {
    /// The distributions of numbers that come from outside; a sentence says what is wrong with them.
    pub(crate) fn new(means: Vec<f32>, factor: Vec<f32>, dim: usize) -> Result<Self, &'static str> {
        if dim == 0 || factor.len() != dim * dim || !means.len().is_multiple_of(dim) {
            return Err("its means and its factor do not go together");
        }
        if !(1..=MAX_GROUPS).contains(&(means.len() / dim)) {
            return Err("it has no group, or more than 64");
        }
        if !means.iter().chain(&factor).all(|value| value.is_finite()) {
            return Err("it holds a number that is not finite");
        }
        for (row, values) in factor.chunks_exact(dim).enumerate() {
            if values[row] <= 0.0 || values[row + 1..].iter().any(|value| *value != 0.0) {
                return Err("its factor is not lower triangular with a positive diagonal");
            }
        }
        let mut found = Self { means, factor, whitened_means: Vec::new(), dim };
        let whitened: Vec<f32> =
            found.means.chunks_exact(dim).flat_map(|mean| found.whitened(mean)).collect();
        if !whitened.iter().all(|value| value.is_finite()) {
            return Err("its factor and its means are too large for each other");
        }
        found.whitened_means = whitened;
        Ok(found)
    }

    /// Of `rows` of one length, each in the group of the same place, numbered from 0 without a gap.
    ///
    /// `ridge` times the mean variance is added to each variance, so that the covariance can be inverted.
    pub(crate) fn fit(
        rows: &[&[f32]],
        groups: &[usize],
        ridge: f64,
    ) -> Result<Self, DetectorError> {
        let dim = rows.first().map_or(0, |row| row.len());
        let n_groups = groups.iter().max().map_or(0, |last| last + 1);
        if rows.len() <= dim {
            return Err(DetectorError::TooFewPictures { found: rows.len(), needed: dim + 1 });
        }
        let mut means = vec![0.0f64; n_groups * dim];
        let mut counts = vec![0.0f64; n_groups];
        for (row, group) in rows.iter().zip(groups) {
            counts[*group] += 1.0;
            let mean = &mut means[group * dim..(group + 1) * dim];
            mean.iter_mut().zip(*row).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        for (mean, count) in means.chunks_exact_mut(dim).zip(&counts) {
            mean.iter_mut().for_each(|sum| *sum /= count.max(1.0));
        }
        let mut covariance = vec![0.0f64; dim * dim];
        let mut centered = vec![0.0f64; dim];
        for (row, group) in rows.iter().zip(groups) {
            let mean = &means[group * dim..(group + 1) * dim];
            for ((centered, value), mean) in centered.iter_mut().zip(*row).zip(mean) {
                *centered = f64::from(*value) - mean;
            }
            for (i, sums) in covariance.chunks_exact_mut(dim).enumerate() {
                let factor = centered[i];
                sums[..=i]
                    .iter_mut()
                    .zip(&centered)
                    .for_each(|(sum, value)| *sum += factor * value);
            }
        }
        covariance.iter_mut().for_each(|sum| *sum /= rows.len() as f64);
        let trace: f64 = (0..dim).map(|i| covariance[i * dim + i]).sum();
        (0..dim).for_each(|i| covariance[i * dim + i] += ridge * trace / dim as f64);
        let factor = inverse_cholesky(&covariance, dim).ok_or(DetectorError::FlatFeatures)?;
        let [means, factor] = [means, factor].map(|v| v.into_iter().map(|x| x as f32).collect());
        Self::new(means, factor, dim).map_err(|_| DetectorError::FlatFeatures)
    }

    /// The squared distance of `values`, of the right number, from the nearest mean.
    pub(crate) fn squared_distance(&self, values: &[f32]) -> f32 {
        let whitened = self.whitened(values);
        let squared = |mean: &[f32]| -> f32 {
            mean.iter().zip(&whitened).map(|(mean, value)| (value - mean).powi(2)).sum()
        };
        let distances = self.whitened_means.chunks_exact(self.dim).map(squared);
        // A number beyond f32 is as far as it can be.
        distances.fold(f32::MAX, f32::min)
    }

    pub(crate) fn dim(&self) -> usize {
        self.dim
    }

    pub(crate) fn n_groups(&self) -> usize {
        self.means.len() / self.dim
    }

    pub(crate) fn means(&self) -> &[f32] {
        &self.means
    }

    pub(crate) fn factor(&self) -> &[f32] {
        &self.factor
    }

    fn whitened(&self, values: &[f32]) -> Vec<f32> {
        assert_eq!(values.len(), self.dim, "as many values as the distributions have");
        let row = |(i, row): (usize, &[f32])| -> f32 {
            row[..=i].iter().zip(values).map(|(factor, value)| factor * value).sum()
        };
        self.factor.chunks_exact(self.dim).enumerate().map(row).collect()
    }
}

/// `L^-1` of the lower triangle of `L L^T`; `None` if that is not positive definite.
fn inverse_cholesky(matrix: &[f64], dim: usize) -> Option<Vec<f64>> {
    let mut lower = vec![0.0f64; dim * dim];
    for i in 0..dim {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| lower[i * dim + k] * lower[j * dim + k]).sum();
            let rest = matrix[i * dim + j] - sum;
            lower[i * dim + j] = if i == j {
                (rest > 0.0 && rest.is_finite()).then(|| rest.sqrt())?
            } else {
                rest / lower[j * dim + j]
            };
        }
    }
    let mut inverse = vec![0.0f64; dim * dim];
    for column in 0..dim {
        inverse[column * dim + column] = lower[column * dim + column].recip();
        for row in column + 1..dim {
            let sum: f64 =
                (column..row).map(|k| lower[row * dim + k] * inverse[k * dim + column]).sum();
            inverse[row * dim + column] = -sum / lower[row * dim + row];
        }
    }
    Some(inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_a_covariance_inverted_by_hand() {
        // Covariance [[4, 2], [2, 2]], whose inverse is [[0.5, -0.5], [-0.5, 1]].
        let factor = inverse_cholesky(&[4.0, 0.0, 2.0, 2.0], 2).expect("positive definite");
        let factor: Vec<f32> = factor.into_iter().map(|x| x as f32).collect();
        let found = Gaussians::new(vec![0.0, 0.0, 10.0, 10.0], factor, 2).expect("it is whole");
        assert!((found.squared_distance(&[2.0, 0.0]) - 2.0).abs() < 1e-5);
        assert!((found.squared_distance(&[0.0, 3.0]) - 9.0).abs() < 1e-5);
        assert!((found.squared_distance(&[12.0, 10.0]) - 2.0).abs() < 1e-4);
        assert_eq!(found.squared_distance(&[f32::MAX, f32::MAX]), f32::MAX);
    }

    #[test]
    fn a_fit_finds_the_means_and_measures_in_standard_deviations() {
        // Two groups around (0, 5) and (100, 5), 3 and 0.5 to each side.
        let offsets = [[3.0, 0.5], [-3.0, -0.5], [3.0, -0.5], [-3.0, 0.5]];
        let rows: Vec<Vec<f32>> = [0.0, 100.0]
            .iter()
            .flat_map(|center| offsets.map(|[x, y]| vec![center + x, 5.0 + y]))
            .collect();
        let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
        let groups = [0, 0, 0, 0, 1, 1, 1, 1];
        let found = Gaussians::fit(&rows, &groups, 0.0).expect("they vary in both directions");
        assert_eq!(found.means(), [0.0, 5.0, 100.0, 5.0]);
        assert!((found.squared_distance(&[103.0, 5.0]) - 1.0).abs() < 1e-4);
        assert!((found.squared_distance(&[0.0, 6.0]) - 4.0).abs() < 1e-4);
        let flat: Vec<&[f32]> = vec![&[1.0, 1.0]; 8];
        assert!(matches!(Gaussians::fit(&flat, &groups, 1e-3), Err(DetectorError::FlatFeatures)));
        let few = Gaussians::fit(&rows[..2], &groups[..2], 1e-3);
        assert!(matches!(few, Err(DetectorError::TooFewPictures { found: 2, needed: 3 })));
    }

    #[test]
    fn numbers_that_are_no_distribution_are_refused() {
        for (means, factor, dim) in [
            (vec![0.0; 3], vec![1.0, 0.0, 0.0, 1.0], 2),
            (vec![], vec![1.0, 0.0, 0.0, 1.0], 2),
            (vec![0.0; 2], vec![1.0, 0.5, 0.0, 1.0], 2),
            (vec![0.0; 2], vec![1.0, 0.0, 0.0, 0.0], 2),
            (vec![0.0; 2], vec![1.0, 0.0, 0.0, -1.0], 2),
            (vec![0.0, f32::NAN], vec![1.0, 0.0, 0.0, 1.0], 2),
            (vec![f32::MAX; 2], vec![1.0, 0.0, f32::MAX, 1.0], 2),
            (vec![0.0; 65], vec![1.0], 1),
            (vec![], vec![], 0),
        ] {
            assert!(
                Gaussians::new(means.clone(), factor.clone(), dim).is_err(),
                "{means:?} {factor:?}"
            );
        }
    }
}
