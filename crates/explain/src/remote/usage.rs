//! Cost of an explainer so far.

/// The requests and tokens of an explainer so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Number of requests, failed ones included.
    pub n_requests: u64,
    /// Tokens of questions, as the service counts them.
    pub n_prompt_tokens: u64,
    /// Tokens of answers and thoughts, as the service counts them.
    pub n_answer_tokens: u64,
}
