//! Rotary positions of tokens.

/// Rotary positions of a batch of tokens: one number a token, or time, height and width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Positions {
    n_axes: usize,
    batch: usize,
    n_tokens: usize,
    /// `[axes, batch, tokens]`.
    values: Vec<u32>,
}

impl Positions {
    /// Positions `[axes, batch, tokens]`, where `axes` is 1 for text and 3 for M-RoPE.
    ///
    /// # Panics
    /// If `axes` is another number, or the number of values differs from the shape.
    #[must_use]
    pub fn new(values: Vec<u32>, [n_axes, batch, n_tokens]: [usize; 3]) -> Self {
        assert!(n_axes == 1 || n_axes == 3, "one axis, or time, height and width");
        assert_eq!(values.len(), n_axes * batch * n_tokens, "one number an axis and token");
        Self { n_axes, batch, n_tokens, values }
    }

    /// `n_tokens` tokens of text after another, the first of each sequence at its place of `starts`.
    #[must_use]
    pub fn text(starts: &[u32], n_tokens: usize) -> Self {
        let values = starts.iter().flat_map(|start| (0..n_tokens as u32).map(move |i| start + i));
        Self::new(values.collect(), [1, starts.len(), n_tokens])
    }

    /// Axes, sequences and tokens.
    #[must_use]
    pub fn shape(&self) -> [usize; 3] {
        [self.n_axes, self.batch, self.n_tokens]
    }

    /// `[axes, batch, tokens]`, row by row.
    #[must_use]
    pub fn values(&self) -> &[u32] {
        &self.values
    }

    /// The position of a token on an axis; text has the same on all of them.
    #[must_use]
    pub fn get(&self, axis: usize, sequence: usize, token: usize) -> u32 {
        let axis = if self.n_axes == 1 { 0 } else { axis };
        self.values[(axis * self.batch + sequence) * self.n_tokens + token]
    }

    /// The position of the text after the last token of `sequence`: one after the largest number.
    #[must_use]
    pub fn next(&self, sequence: usize) -> u32 {
        let rows = (0..self.n_axes).flat_map(|axis| {
            let from = (axis * self.batch + sequence) * self.n_tokens;
            &self.values[from..from + self.n_tokens]
        });
        rows.max().map_or(0, |last| last + 1)
    }

    /// The same positions behind `n_pads` tokens that do not count, for a batch padded on the left.
    #[must_use]
    pub fn padded(&self, n_pads: usize) -> Self {
        let rows = self.values.chunks_exact(self.n_tokens.max(1));
        let values = rows.flat_map(|row| std::iter::repeat_n(0, n_pads).chain(row.iter().copied()));
        let shape = [self.n_axes, self.batch, self.n_tokens + n_pads];
        Self::new(values.collect(), shape)
    }

    /// The sequences of all `parts`, which are equally long.
    ///
    /// # Panics
    /// If their lengths differ, or there is no part.
    #[must_use]
    pub fn stacked(parts: &[Self]) -> Self {
        let n_axes = parts.iter().map(|part| part.n_axes).max().expect("at least one sequence");
        let n_tokens = parts[0].n_tokens;
        assert!(parts.iter().all(|part| part.n_tokens == n_tokens), "equally long sequences");
        let mut values = Vec::new();
        for axis in 0..n_axes {
            for part in parts {
                for sequence in 0..part.batch {
                    values.extend((0..n_tokens).map(|token| part.get(axis, sequence, token)));
                }
            }
        }
        let batch = parts.iter().map(|part| part.batch).sum();
        Self::new(values, [n_axes, batch, n_tokens])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_counts_on_from_its_start() {
        let text = Positions::text(&[0, 5], 3);
        assert_eq!(text.values(), [0, 1, 2, 5, 6, 7]);
        assert_eq!((text.next(0), text.next(1)), (3, 8));
        assert_eq!(text.get(2, 1, 0), 5);
    }

    #[test]
    fn sequences_are_padded_on_the_left_and_stacked() {
        let picture = Positions::new(vec![0, 0, 0, 1, 0, 2], [3, 1, 2]);
        assert_eq!(picture.next(0), 3);
        let both = Positions::stacked(&[picture.padded(1), Positions::text(&[0], 3)]);
        assert_eq!(both.shape(), [3, 2, 3]);
        assert_eq!(both.values(), [0, 0, 0, 0, 1, 2, 0, 0, 1, 0, 1, 2, 0, 0, 2, 0, 1, 2]);
    }
}
