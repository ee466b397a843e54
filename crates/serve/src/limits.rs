//! The limits of a service.

use std::time::Duration;

/// The amounts of work, memory and time that a service spends on its clients.
///
/// ```
/// use cifake_serve::Limits;
///
/// let limits = Limits { max_files: 8, ..Limits::default() };
/// assert_eq!(limits.max_body_bytes, 32 << 20);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest body of a request, in bytes: 32 MiB by default. It bounds each picture's file, too.
    pub max_body_bytes: u64,
    /// Largest picture, in pixels: 40 megapixels by default.
    pub max_pixels: u64,
    /// Most pictures of one request: 100 by default.
    pub max_files: usize,
    /// Requests with pictures that are worked on at once: 256 by default. A further one is answered with 503.
    pub max_in_flight: usize,
    /// Requests with pictures of one network address at once: 128 by default. A further one is answered
    /// with 429.
    pub max_per_client: usize,
    /// Pictures that wait to be decoded: 4,096 by default. A request with more is answered with 503.
    pub max_queue: usize,
    /// Bytes of all bodies in memory: 256 MiB by default. A request with more is answered with 503.
    pub max_queue_bytes: u64,
    /// Time from a whole body to its answer: 60 seconds by default, then 504.
    pub timeout: Duration,
    /// Time for a whole body: 60 seconds by default, then 408.
    pub body_timeout: Duration,
    /// Longest pause within a body: 10 seconds by default, then 408.
    pub pause_timeout: Duration,
    /// Time for which a picture waits for others, to go through the model with them: 2 ms by default. It waits
    /// only while other pictures are on their way.
    pub window: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body_bytes: 32 << 20,
            max_pixels: 40_000_000,
            max_files: 100,
            max_in_flight: 256,
            max_per_client: 128,
            max_queue: 4096,
            max_queue_bytes: 256 << 20,
            timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(60),
            pause_timeout: Duration::from_secs(10),
            window: Duration::from_millis(2),
        }
    }
}
