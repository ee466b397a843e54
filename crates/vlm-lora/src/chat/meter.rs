//! A limit to the text that a template reads and writes, which fuel, a count of steps, does not
//! see.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use super::bounds::{MAX_TEXT_BYTES, refused};

/// Bytes that all filters and methods of one rendering may read.
const MAX_WORK: usize = 512 << 20;
/// Bytes that a template writes, blocks that are captured and written again included.
const MAX_WRITTEN: usize = 4 * MAX_TEXT_BYTES;
/// Bytes of a value that a template keeps, beside those of the conversation.
const KEPT: usize = 256 << 10;
/// Lists and tables inside each other, at most.
const MAX_DEPTH: usize = 64;

/// The work that is left to one rendering.
#[derive(Debug)]
pub(super) struct Meter {
    left: AtomicUsize,
    /// The bytes that may still be written.
    room: AtomicUsize,
    /// Bytes of a value that is kept.
    kept: usize,
}

impl Meter {
    /// For a conversation of `len` bytes.
    pub(super) fn new(len: usize) -> Self {
        let work = MAX_WORK.saturating_add(len.saturating_mul(64));
        let kept = KEPT.saturating_add(len.saturating_mul(4));
        Self { left: AtomicUsize::new(work), room: AtomicUsize::new(MAX_WRITTEN), kept }
    }

    /// Takes `n` bytes of work.
    fn spend(&self, n: usize) -> Result<(), Error> {
        take(&self.left, n.saturating_add(1)).ok_or_else(|| refused("it reads too much text"))
    }

    /// Takes room for `n` bytes of text.
    pub(super) fn write(&self, n: usize) -> Result<(), Error> {
        take(&self.room, n).ok_or_else(|| refused("it writes too much text"))
    }

    /// Takes what reading `value` once costs.
    pub(super) fn read(&self, value: &Value) -> Result<(), Error> {
        let len = match value.as_str() {
            Some(text) => text.len(),
            None => value.len().unwrap_or_default(),
        };
        self.spend(len)
    }

    /// Refuses to keep a value that is too large: one that was doubled again and again.
    pub(super) fn keep(&self, value: &Value) -> Result<(), Error> {
        let mut left = self.kept;
        let weighed = weigh(value, &mut left, 0);
        self.spend(self.kept - left)?;
        match weighed {
            true => Ok(()),
            false => Err(refused(format!("it keeps a value of more than {} bytes", self.kept))),
        }
    }
}

fn take(left: &AtomicUsize, n: usize) -> Option<()> {
    let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(n));
    taken.ok().map(|_| ())
}

/// Takes the size of `value` from `left`; whether there was as much.
fn weigh(value: &Value, left: &mut usize, depth: usize) -> bool {
    let len = value.as_str().map_or(1, |text| text.len().saturating_add(1));
    let Some(rest) = left.checked_sub(len).filter(|_| depth <= MAX_DEPTH) else { return false };
    *left = rest;
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter().is_ok_and(|mut items| items.all(|item| weigh(&item, left, depth + 1)))
        }
        ValueKind::Map => value.try_iter().is_ok_and(|mut keys| {
            keys.all(|key| {
                let item = value.get_item(&key).unwrap_or_default();
                weigh(&key, left, depth + 1) && weigh(&item, left, depth + 1)
            })
        }),
        _ => true,
    }
}

/// Text up to the longest that a conversation may become.
#[derive(Debug, Default)]
pub(super) struct Bounded(String);

impl Bounded {
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > MAX_TEXT_BYTES {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}
