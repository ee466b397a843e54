//! The spread of a step's tasks over threads.

use cifake_kernels::packed::TILE_ROWS;
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

use super::scratch::{Pool, Scratch};

/// Rows of a product that a task works on, at most: the more, the less often weights are read, and
/// so many rows of the kernel's 256-wide blocks still stay in the L2 cache.
const TASK_ROWS: usize = 204;

/// Whether the tasks of a step run here, one after the other, or in the current thread pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spread {
    Alone,
    Pool,
}

impl Spread {
    /// Calls `task` with the index and the content of every chunk of `out`.
    pub(super) fn for_each(
        self,
        out: &mut [f32],
        chunk_len: usize,
        scratch: &Pool<Scratch>,
        task: impl Fn(usize, &mut [f32], &mut Scratch) + Sync,
    ) {
        self.for_each_item(out.chunks_mut(chunk_len).collect(), scratch, task);
    }

    /// Calls `task` with the index and the value of every item.
    pub(super) fn for_each_item<T: Send>(
        self,
        items: Vec<T>,
        scratch: &Pool<Scratch>,
        task: impl Fn(usize, T, &mut Scratch) + Sync,
    ) {
        match self {
            Self::Alone => {
                let mut scratch = scratch.take();
                for (i, item) in items.into_iter().enumerate() {
                    task(i, item, &mut scratch);
                }
            }
            Self::Pool => items
                .into_par_iter()
                .enumerate()
                .for_each_init(|| scratch.take(), |scratch, (i, item)| task(i, item, scratch)),
        }
    }

    /// Rows of a task, of `n_rows` in all: whole tiles, and every thread gets as many tasks as the
    /// others.
    pub(super) fn task_rows(self, n_rows: usize) -> usize {
        let n_threads = match self {
            Self::Alone => 1,
            Self::Pool => rayon::current_num_threads(),
        };
        let n_rounds = n_rows.div_ceil(n_threads * TASK_ROWS);
        n_rows.div_ceil(n_rounds * n_threads).next_multiple_of(TILE_ROWS)
    }
}
