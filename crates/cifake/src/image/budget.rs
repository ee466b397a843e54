//! One allocation budget for all decoder threads.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes that threads borrow before they allocate and give back when they are done.
///
/// Threads are served in the order in which they came. A large share waits until enough is free,
/// and smaller ones behind it wait too, so that they cannot starve it.
#[derive(Debug)]
pub(super) struct Budget {
    total: u64,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug)]
struct Queue {
    free: u64,
    /// The ticket of the next thread to come.
    next: u64,
    /// The ticket of the thread whose turn it is.
    turn: u64,
}

impl Budget {
    pub(super) fn new(total: u64) -> Self {
        let queue = Mutex::new(Queue { free: total, next: 0, turn: 0 });
        Self { total, queue, changed: Condvar::new() }
    }

    /// Waits for `bytes` of the budget; `None` if the whole budget is smaller.
    ///
    /// A thread holds one share at a time and needs no other thread to finish, so every wait ends.
    pub(super) fn share(&self, bytes: u64) -> Option<Share<'_>> {
        if bytes > self.total {
            return None;
        }
        let mut queue = self.lock();
        let ticket = queue.next;
        queue.next += 1;
        while queue.turn != ticket || queue.free < bytes {
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.turn += 1;
        queue.free -= bytes;
        drop(queue);
        // The next one in the queue may fit beside this one.
        self.changed.notify_all();
        Some(Share { budget: self, bytes })
    }

    /// The numbers stay right even if a thread panicked: nothing between their changes can panic.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part of a [`Budget`], given back on drop.
#[derive(Debug)]
pub(super) struct Share<'a> {
    budget: &'a Budget,
    bytes: u64,
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.budget.lock().free += self.bytes;
        self.budget.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn a_share_larger_than_the_budget_is_refused() {
        let budget = Budget::new(10);
        assert!(budget.share(11).is_none());
        assert!(budget.share(10).is_some());
    }

    #[test]
    fn threads_together_never_hold_more_than_the_budget() {
        let budget = Budget::new(10);
        let (held, most) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (budget, held, most) = (&budget, &held, &most);
                scope.spawn(move || {
                    for round in 0..200 {
                        let bytes = 1 + (thread * 3 + round) % 7;
                        let _share = budget.share(bytes).expect("7 bytes fit");
                        most.fetch_max(
                            held.fetch_add(bytes, Ordering::SeqCst) + bytes,
                            Ordering::SeqCst,
                        );
                        std::thread::yield_now();
                        held.fetch_sub(bytes, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(most.into_inner() <= 10);
        assert_eq!(budget.lock().free, 10);
    }

    #[test]
    fn a_large_share_is_served_before_small_ones_that_came_later() {
        let budget = Budget::new(10);
        let served = Mutex::new(Vec::new());
        let waits = |n: u64| {
            while budget.lock().next < n {
                std::thread::yield_now();
            }
        };
        let first = budget.share(6).expect("it fits");
        std::thread::scope(|scope| {
            // 4 bytes are free all the time, enough for each of the small ones.
            for (n, bytes) in (2..).zip([10, 4, 1]) {
                let (budget, served) = (&budget, &served);
                scope.spawn(move || {
                    let share = budget.share(bytes);
                    served.lock().expect("nothing panics").push(bytes);
                    drop(share);
                });
                waits(n);
            }
            assert!(served.lock().expect("nothing panics").is_empty());
            drop(first);
        });
        assert_eq!(served.into_inner().expect("nothing panics")[0], 10);
    }
}
