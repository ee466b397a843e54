//! The measures of one map.

use serde::{Deserialize, Serialize};

/// The faithfulness of one map to one picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Faithfulness {
    /// Area under the probability while places are blacked out, the strongest first (Petsiuk et al.
    /// 2018, arXiv 1806.07421); lower is better.
    pub deletion: f64,
    /// The same while places are restored on black, the strongest first; higher is better.
    pub insertion: f64,
    /// ROAD (Rong et al. 2022, arXiv 2202.00449): the change of the probability when the strongest
    /// places are blurred away, minus the change for the weakest, halved; higher is better.
    pub road: f64,
    /// Share of the probability that is lost when the picture is multiplied by the map
    /// (Chattopadhay et al. 2018); lower is better.
    pub average_drop: f64,
    /// 1 if the probability rises instead, else 0.
    pub confidence_increase: f64,
}
