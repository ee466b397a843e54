//! Errors of this crate.

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model has no such layer.
    #[error("the model has no layer `{name}`; {}", layers(known))]
    Layer {
        /// The layer that was asked for.
        name: String,
        /// The layers of the model.
        known: String,
    },
    /// The layer has no such channel.
    #[error("channel {channel} does not exist: the layer has {n_channels} channels, from 0")]
    Channel {
        /// The channel that was asked for.
        channel: usize,
        /// Channels of the layer.
        n_channels: usize,
    },
    /// The numbers of pictures, targets and maps differ.
    #[error(
        "the numbers of pictures ({images}), targets ({targets}) and maps ({maps}) differ; give one target and one map a picture"
    )]
    Counts {
        /// Number of pictures.
        images: usize,
        /// Number of targets.
        targets: usize,
        /// Number of maps.
        maps: usize,
    },
    /// A gradient or an activation is not a finite number.
    #[error("the gradients at `{layer}` are not finite: the model overflows on this picture")]
    NotFinite {
        /// The layer.
        layer: String,
    },
    /// The values are not a map of the stated size.
    #[error(
        "{n_values} values are not a map of {height}x{width}: it needs one value from 0 to 1 for \
         each place, and at least one place"
    )]
    MapForm {
        /// Number of values.
        n_values: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
}

/// The text of a message about the layers there are.
fn layers(known: &str) -> String {
    match known {
        "" => "this detector has no maps".to_owned(),
        _ => format!("its layers are {known}"),
    }
}
