//! Memory that is kept from call to call.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

use cifake_kernels::packed::AttentionWorkspace;

/// The maps of one unit of pictures.
#[derive(Debug, Default)]
pub(super) struct Maps {
    pub(super) current: Vec<f32>,
    pub(super) next: Vec<f32>,
    /// Pixels, then queries, keys and values.
    pub(super) wide: Vec<f32>,
}

/// The buffers of one task at a time.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) patches: Vec<f32>,
    /// Normalized rows, or rows gathered from elsewhere.
    pub(super) rows: Vec<f32>,
    /// Rows of the wide side of a block.
    pub(super) wide: Vec<f32>,
    /// Rows behind a depthwise convolution.
    pub(super) mixed: Vec<f32>,
    pub(super) attention: AttentionWorkspace,
}

/// Values that wait for their next user.
#[derive(Debug)]
pub(super) struct Pool<T>(Mutex<Vec<T>>);

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

impl<T: Default> Pool<T> {
    /// A value for as long as the lease lives.
    pub(super) fn take(&self) -> Lease<'_, T> {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Lease { pool: self, value: Some(waiting.unwrap_or_default()) }
    }
}

/// A value on loan from a [`Pool`], to which it returns.
pub(super) struct Lease<'a, T> {
    pool: &'a Pool<T>,
    value: Option<T>,
}

impl<T> Deref for Lease<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("a lease holds its value until it is dropped")
    }
}

impl<T> DerefMut for Lease<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("a lease holds its value until it is dropped")
    }
}

impl<T> Drop for Lease<'_, T> {
    fn drop(&mut self) {
        let mut waiting = self.pool.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend(self.value.take());
    }
}

/// The first `len` elements of `buffer`, which grows where it must; their content is arbitrary.
pub(super) fn first(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}
