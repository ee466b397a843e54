//! What can go wrong.

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A layer that the model does not list.
    #[error("the model has no layer `{name}`; it can be cut at: {known}")]
    Layer {
        /// What was asked for.
        name: String,
        /// The layers that there are.
        known: String,
    },
    /// Pictures, labels and maps that do not belong together.
    #[error("{images} pictures need one label and one map each: there are {labels} and {maps}")]
    Counts {
        /// Number of pictures.
        images: usize,
        /// Number of labels.
        labels: usize,
        /// Number of maps.
        maps: usize,
    },
    /// A gradient or an activation that is no number.
    #[error("the gradients at `{layer}` are not finite: the model overflows on this picture")]
    NotFinite {
        /// The layer.
        layer: String,
    },
}
