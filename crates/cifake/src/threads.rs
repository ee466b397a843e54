//! The one way in which this workspace starts a pool of threads.

use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::Error;

/// Most threads of one pool.
pub const MAX_THREADS: usize = 512;

/// Stack of each thread, in bytes.
///
/// The matrix products of `cifake-kernels` keep a tile of sums in registers. An unoptimized build spills it:
/// with AVX-512 a frame takes 160 kB, and a task that waits may begin others on the same stack. Memory is
/// reserved, and taken only where a stack grows.
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
    /// A pool of `n_threads`, at most [`MAX_THREADS`]; 0 takes one a core.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyThreads`]; [`Error::Threads`] where the operating system refuses them.
    pub fn new(n_threads: usize) -> Result<Self, Error> {
        if n_threads > MAX_THREADS {
            return Err(Error::TooManyThreads { n_threads, limit: MAX_THREADS });
        }
        let pool = ThreadPoolBuilder::new()
            .num_threads(n_threads)
            .stack_size(STACK_BYTES)
            .thread_name(|index| format!("cifake-{index}"))
            .build()
            .map_err(|source| Error::Threads { n_threads, source })?;
        Ok(Self { pool: Arc::new(pool) })
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
