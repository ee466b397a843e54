//! What several programs of the lab share: figures.

pub mod plot;
