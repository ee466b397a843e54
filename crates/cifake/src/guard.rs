//! Panics of libraries that read untrusted bytes.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    /// The number of calls of [`guarded`] that this thread is within.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// The result of `read`, or the payload of its panic.
///
/// A library that panics over the bytes of a file fails for that file alone. Changes by `read` outside itself must not
/// count afterwards. The panic hook still runs; [`is_guarded`] tells it that nothing is lost.
///
/// # Errors
/// The payload.
pub fn guarded<T>(read: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    DEPTH.set(DEPTH.get() + 1);
    let outcome = catch_unwind(AssertUnwindSafe(read));
    DEPTH.set(DEPTH.get() - 1);
    outcome
}

/// Whether this thread is within [`guarded`]: a panic hook may then stay silent, since the caller gets an
/// error.
///
/// ```
/// let usual = std::panic::take_hook();
/// std::panic::set_hook(Box::new(move |panic| {
///     if !cifake::is_guarded() {
///         usual(panic);
///     }
/// }));
/// ```
#[must_use]
pub fn is_guarded() -> bool {
    DEPTH.get() > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_within_is_an_error_and_the_thread_knows() {
        let inner = guarded(|| {
            assert!(is_guarded());
            assert!(guarded(|| panic!("over a byte")).is_err());
            is_guarded()
        });
        assert!(inner.is_ok_and(|is_guarded| is_guarded));
        assert!(!is_guarded());
    }
}
