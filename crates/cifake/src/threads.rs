//! The one way in which this workspace starts a pool of threads.

use std::sync::Arc;
#[cfg(target_family = "wasm")]
use std::sync::OnceLock;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use crate::Error;

/// Most threads of one pool.
pub const MAX_THREADS: usize = 512;

/// Stack of each thread, in bytes.
///
/// The matrix products of `cifake-kernels` keep a tile of sums in registers. An unoptimized build spills it:
/// with AVX-512 a frame takes 160 kB, and a task that waits may begin others on the same stack. Memory is
/// reserved, and taken only where a stack grows.
#[cfg(not(target_family = "wasm"))]
const STACK_BYTES: usize = 16 << 20;

/// A pool of threads in which pictures are decoded and models compute.
///
/// A clone shares the threads. Every thread has a stack of 16 MiB, which an unoptimized build of a compiled plan
/// needs. The global pool of the host is neither started nor used.
#[derive(Debug, Clone)]
pub struct Threads {
    pool: Arc<ThreadPool>,
}

impl Threads {
    /// A pool of `n_threads`, at most [`MAX_THREADS`]; 0 takes one a core. In WebAssembly it is the calling thread.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyThreads`]; [`Error::Threads`] where the operating system refuses them.
    pub fn new(n_threads: usize) -> Result<Self, Error> {
        if n_threads > MAX_THREADS {
            return Err(Error::TooManyThreads { n_threads, limit: MAX_THREADS });
        }
        let pool = pool(n_threads).map_err(|source| Error::Threads { n_threads, source })?;
        Ok(Self { pool })
    }

    /// Runs `work` in the pool: what it does in parallel runs in these threads.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }

    /// Number of threads.
    #[must_use]
    pub fn n_threads(&self) -> usize {
        self.pool.current_num_threads()
    }
}

#[cfg(not(target_family = "wasm"))]
fn pool(n_threads: usize) -> Result<Arc<ThreadPool>, ThreadPoolBuildError> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(n_threads)
        .stack_size(STACK_BYTES)
        .thread_name(|index| format!("cifake-{index}"));
    pool.build().map(Arc::new)
}

/// WebAssembly has one thread, and a thread stays in its pool forever: every call shares that pool.
#[cfg(target_family = "wasm")]
fn pool(_n_threads: usize) -> Result<Arc<ThreadPool>, ThreadPoolBuildError> {
    static POOL: OnceLock<Arc<ThreadPool>> = OnceLock::new();
    if let Some(pool) = POOL.get() {
        return Ok(Arc::clone(pool));
    }
    let pool = Arc::new(ThreadPoolBuilder::new().num_threads(1).use_current_thread().build()?);
    Ok(Arc::clone(POOL.get_or_init(|| pool)))
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    /// Uses a kibibyte of stack a level.
    fn descend(depth: usize) -> u8 {
        let frame = black_box([1u8; 1024]);
        if depth == 0 { frame[0] } else { frame[depth % 1024].max(descend(depth - 1)) }
    }

    #[test]
    fn a_task_may_use_eight_mebibytes_of_stack() {
        let threads = Threads::new(2).expect("two threads");
        assert_eq!(threads.n_threads(), 2);
        assert_eq!(threads.install(|| descend(8 * 1024)), 1);
    }

    #[test]
    fn more_threads_than_any_machine_has_are_refused_before_one_starts() {
        for n_threads in [MAX_THREADS + 1, 99_999_999, usize::MAX] {
            let refused = Threads::new(n_threads);
            assert!(matches!(refused, Err(Error::TooManyThreads { limit: MAX_THREADS, .. })));
        }
    }
}
