//! Comparison of texts by meaning.

use crate::Error;

/// Computes embeddings of texts: vectors whose directions stand for their meanings.
pub trait Embedder: Send + Sync {
    /// One vector for each text, all of one length.
    ///
    /// # Errors
    ///
    /// If the model fails.
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, Error>;
}

/// The cosine between two vectors, -1 to 1; 0 if either is zero.
///
/// # Panics
///
/// If the lengths differ.
#[must_use]
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len(), "vectors of one embedder");
    let product = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let scale = (product(a, a) * product(b, b)).sqrt();
    if scale > 0.0 { (product(a, b) / scale).clamp(-1.0, 1.0) } else { 0.0 }
}

/// Mean cosine of pairs of texts; `None` without pairs.
pub(super) fn mean_cosine(
    embedder: &dyn Embedder,
    pairs: &[(&str, &str)],
) -> Result<Option<f64>, Error> {
    if pairs.is_empty() {
        return Ok(None);
    }
    let texts: Vec<&str> = pairs.iter().flat_map(|(ours, theirs)| [*ours, *theirs]).collect();
    let vectors = embedder.embed(&texts)?;
    let is_whole = vectors.len() == texts.len()
        && vectors.iter().all(|vector| vector.len() == vectors[0].len())
        && vectors.iter().flatten().all(|x| x.is_finite());
    if !is_whole {
        return Err(Error::Embedding { n_texts: texts.len(), n_vectors: vectors.len() });
    }
    let (vectors, _) = vectors.as_chunks::<2>();
    let sum: f64 = vectors.iter().map(|[ours, theirs]| cosine(ours, theirs)).sum();
    Ok(Some(sum / pairs.len() as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quality::example::Letters;

    /// Forgets all but the first text.
    struct Forgetful;

    impl Embedder for Forgetful {
        fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, Error> {
            Ok(texts.iter().take(1).map(|_| vec![1.0]).collect())
        }
    }

    #[test]
    fn cosines_of_known_angles() {
        assert_eq!(cosine(&[1.0, 0.0], &[0.0, 2.0]), 0.0);
        assert_eq!(cosine(&[1.0, 2.0], &[-2.0, -4.0]), -1.0);
        assert!((cosine(&[3.0, 4.0], &[4.0, 3.0]) - 0.96).abs() < 1e-12);
        assert_eq!(cosine(&[0.0, 0.0], &[1.0, 0.0]), 0.0);
    }

    #[test]
    fn the_mean_is_over_the_pairs() {
        let mean = mean_cosine(&Letters, &[("a", "aa"), ("a", "b")]).expect("letters are counted");
        assert_eq!(mean, Some(0.5));
        assert_eq!(mean_cosine(&Forgetful, &[]).expect("nothing is asked"), None);
    }

    #[test]
    fn an_embedder_that_forgets_a_text_is_an_error() {
        let error = mean_cosine(&Forgetful, &[("a", "b")]).expect_err("one vector for two texts");
        assert!(matches!(error, Error::Embedding { n_texts: 2, n_vectors: 1 }), "{error}");
    }
}
