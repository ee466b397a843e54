//! One allocation budget for all decoder threads.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes that threads borrow before they allocate and give back when they are done.
#[derive(Debug)]
pub(super) struct Budget {
    total: u64,
    free: Mutex<u64>,
    returned: Condvar,
}

impl Budget {
    pub(super) fn new(total: u64) -> Self {
        Self { total, free: Mutex::new(total), returned: Condvar::new() }
    }

    /// Waits for `bytes` of the budget; `None` if the whole budget is smaller.
    ///
    /// A thread holds one share at a time and needs no other thread to finish, so every wait ends.
    pub(super) fn share(&self, bytes: u64) -> Option<Share<'_>> {
        if bytes > self.total {
            return None;
        }
        let mut free = self.lock();
        while *free < bytes {
            free = self.returned.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= bytes;
        Some(Share { budget: self, bytes })
    }

    /// The number stays right even if a thread panicked: it is changed by one operation.
    fn lock(&self) -> MutexGuard<'_, u64> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
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
        *self.budget.lock() += self.bytes;
        self.budget.returned.notify_all();
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
        assert_eq!(*budget.lock(), 10);
    }
}
