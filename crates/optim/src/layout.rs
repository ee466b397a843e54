//! Names of the parts of a flat vector.

use std::ops::Range;

/// A tensor, or the tensors of a layer, as a range of a flat vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<T = ()> {
    /// Name of the tensor or layer.
    pub name: String,
    /// Its values in the flat vector.
    pub range: Range<usize>,
    /// The trainer's treatment of it.
    pub kind: T,
}

/// The parts of a flat vector, without gaps and in order.
///
/// ```
/// let mut layout = cifake_optim::Layout::default();
/// layout.push("weight", 2, ());
/// layout.push("bias", 1, ());
/// assert_eq!(layout.n_values(), 3);
/// assert_eq!(layout.first_not_finite(&[0.0, 1.0, f32::NAN]), Some("bias"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout<T = ()> {
    parts: Vec<Part<T>>,
}

impl<T> Default for Layout<T> {
    fn default() -> Self {
        Self { parts: Vec::new() }
    }
}

impl<T> Layout<T> {
    /// Appends a part of `n_values` values.
    pub fn push(&mut self, name: impl Into<String>, n_values: usize, kind: T) {
        let start = self.n_values();
        self.parts.push(Part { name: name.into(), range: start..start + n_values, kind });
    }

    /// The parts in order.
    #[must_use]
    pub fn parts(&self) -> &[Part<T>] {
        &self.parts
    }

    /// Length of the flat vector.
    #[must_use]
    pub fn n_values(&self) -> usize {
        self.parts.last().map_or(0, |part| part.range.end)
    }

    /// Name of the part with the first value that is NaN or infinite.
    ///
    /// # Panics
    ///
    /// If `values` are fewer than [`n_values`](Self::n_values).
    #[must_use]
    pub fn first_not_finite(&self, values: &[f32]) -> Option<&str> {
        let is_broken = |part: &&Part<T>| values[part.range.clone()].iter().any(|x| !x.is_finite());
        self.parts.iter().find(is_broken).map(|part| part.name.as_str())
    }
}
