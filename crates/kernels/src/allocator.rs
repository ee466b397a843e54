//! An allocator that keeps large blocks for the next allocation of their size.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Blocks below this many bytes go to the system's allocator.
const MIN_BYTES: usize = 1 << 17;
/// Size classes between two powers of two.
const STEPS: usize = 8;
/// Powers of two from [`MIN_BYTES`] on that have classes; larger blocks go to the system.
const POWERS: usize = 20;
/// Freed blocks after which unused ones are returned: some steps of a training run.
const PERIOD: usize = 1 << 13;

/// The system's allocator with a store of large freed blocks, for a program that trains.
///
/// A training step frees hundreds of megabytes of activations, and the next one asks for the same
/// sizes. Returned to the system in between, every page of them is mapped and cleared anew, which
/// costs as much as the operations themselves. A library never sets the global allocator; a
/// program that wants this one writes:
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: cifake_kernels::RecyclingAllocator =
///     cifake_kernels::RecyclingAllocator::new(8 << 30);
/// # fn main() { assert_eq!(vec![1.0f32; 1 << 20].len(), 1 << 20) }
/// ```
///
/// Every 8,192 large blocks that are freed, the store returns the blocks that nobody needed since the
/// last time: as many of each size as lay in the store throughout. So a phase of larger batches
/// leaves no memory behind once training goes on.
#[derive(Debug)]
pub struct RecyclingAllocator {
    max_bytes: AtomicUsize,
    store: Mutex<Store>,
}

impl RecyclingAllocator {
    /// An allocator that stores at most `max_bytes` of freed blocks.
    #[must_use]
    pub const fn new(max_bytes: usize) -> Self {
        let store = Store { lists: [[List::EMPTY; STEPS]; POWERS], bytes: 0, n_freed: 0 };
        Self { max_bytes: AtomicUsize::new(max_bytes), store: Mutex::new(store) }
    }

    /// Stores at most `max_bytes` of freed blocks from now on; what is stored already stays.
    pub fn set_max_bytes(&self, max_bytes: usize) {
        self.max_bytes.store(max_bytes, Ordering::Relaxed);
    }

    /// Returns all stored blocks to the system.
    pub fn release(&self) {
        self.lock().return_blocks(|list| list.len);
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the block was stored.
    ///
    /// # Safety
    /// `block` has the class's size, is aligned for a pointer and is used by nobody.
    unsafe fn put(&self, class: Class, block: *mut u8) -> bool {
        let mut store = self.lock();
        store.n_freed += 1;
        if store.n_freed >= PERIOD {
            store.n_freed = 0;
            store.return_blocks(|list| list.unused);
        }
        if store.bytes + class.bytes > self.max_bytes.load(Ordering::Relaxed) {
            return false;
        }
        // SAFETY: the caller's promise.
        unsafe { store.put(class, block) };
        true
    }
}

/// Free blocks of one class, linked through the first word of each.
#[derive(Debug, Clone, Copy)]
struct List {
    head: *mut u8,
    len: usize,
    /// The smallest length since blocks were last returned.
    unused: usize,
}

impl List {
    const EMPTY: Self = Self { head: ptr::null_mut(), len: 0, unused: 0 };

    fn pop(&mut self) -> *mut u8 {
        let block = self.head;
        if !block.is_null() {
            // SAFETY: `put` wrote the next block's address into this one.
            self.head = unsafe { block.cast::<*mut u8>().read() };
            self.len -= 1;
            self.unused = self.unused.min(self.len);
        }
        block
    }
}

/// Free blocks: one list a class.
#[derive(Debug)]
struct Store {
    lists: [[List; STEPS]; POWERS],
    bytes: usize,
    /// Blocks freed since some were last returned.
    n_freed: usize,
}

// SAFETY: the blocks belong to the store alone, whichever thread holds it.
unsafe impl Send for Store {}

impl Store {
    fn take(&mut self, class: Class) -> *mut u8 {
        let block = self.lists[class.power][class.step].pop();
        if !block.is_null() {
            self.bytes -= class.bytes;
        }
        block
    }

    /// # Safety
    /// As [`RecyclingAllocator::put`].
    unsafe fn put(&mut self, class: Class, block: *mut u8) {
        let list = &mut self.lists[class.power][class.step];
        // SAFETY: the block is large, aligned and unused.
        unsafe { block.cast::<*mut u8>().write(list.head) };
        list.head = block;
        list.len += 1;
        self.bytes += class.bytes;
    }

    /// Returns `n(list)` blocks of each list to the system, and starts to count anew.
    fn return_blocks(&mut self, n: impl Fn(&List) -> usize) {
        for (power, lists) in self.lists.iter_mut().enumerate() {
            for (step, list) in lists.iter_mut().enumerate() {
                let class = Class::at(power, step);
                for _ in 0..n(list).min(list.len) {
                    let block = list.pop();
                    self.bytes -= class.bytes;
                    // SAFETY: every stored block was made with its class's layout.
                    unsafe { System.dealloc(block, class.layout()) };
                }
                list.unused = list.len;
            }
        }
    }
}

/// A range of sizes that share blocks of the largest of them.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Class {
    power: usize,
    step: usize,
    bytes: usize,
}

impl Class {
    /// The class of a request, `None` where it goes to the system as it is.
    ///
    /// Blocks of single bytes are files and pictures, not activations. The system grows and shrinks them in
    /// place, and clears them page by page as they are used.
    fn of(layout: Layout) -> Option<Self> {
        let size = layout.size();
        if size <= MIN_BYTES || layout.align() == 1 || layout.align() > 4096 {
            return None;
        }
        // `MIN_BYTES << power < size <= MIN_BYTES << (power + 1)`
        let power = ((size - 1) / MIN_BYTES).ilog2() as usize;
        if power >= POWERS {
            return None;
        }
        let width = (MIN_BYTES << power) / STEPS;
        let step = (size - 1 - (MIN_BYTES << power)) / width;
        Some(Self::at(power, step))
    }

    fn at(power: usize, step: usize) -> Self {
        let width = (MIN_BYTES << power) / STEPS;
        Self { power, step, bytes: (MIN_BYTES << power) + (step + 1) * width }
    }

    /// The request to the system: one alignment, so that any request of the class fits.
    fn layout(self) -> Layout {
        Layout::from_size_align(self.bytes, 4096).expect("a class is far below isize::MAX")
    }
}

// SAFETY: blocks come from the system with at least the requested size and alignment, are handed
// out to one owner at a time, and return to the system with the layout they were requested with.
unsafe impl GlobalAlloc for RecyclingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(class) = Class::of(layout) else {
            // SAFETY: the caller's promise.
            return unsafe { System.alloc(layout) };
        };
        let block = self.lock().take(class);
        if block.is_null() {
            // SAFETY: a class has a size.
            unsafe { System.alloc(class.layout()) }
        } else {
            block
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(class) = Class::of(layout) else {
            // SAFETY: the caller's promise.
            return unsafe { System.alloc_zeroed(layout) };
        };
        let block = self.lock().take(class);
        if block.is_null() {
            // SAFETY: a class has a size.
            return unsafe { System.alloc_zeroed(class.layout()) };
        }
        // SAFETY: the block holds at least the requested bytes.
        unsafe { block.write_bytes(0, layout.size()) };
        block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promise: the new size is valid for this alignment.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        match (Class::of(layout), Class::of(new)) {
            // SAFETY: `alloc` passed this layout to the system.
            (None, None) => unsafe { System.realloc(block, layout, new_size) },
            (Some(class), Some(same)) if class == same => block,
            _ => {
                // SAFETY: both layouts are valid, and the fresh block is another one.
                unsafe {
                    let fresh = self.alloc(new);
                    if !fresh.is_null() {
                        ptr::copy_nonoverlapping(block, fresh, layout.size().min(new_size));
                        self.dealloc(block, layout);
                    }
                    fresh
                }
            }
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(class) = Class::of(layout) else {
            // SAFETY: `alloc` passed this layout to the system.
            return unsafe { System.dealloc(block, layout) };
        };
        // SAFETY: `alloc` made the block of this class, and its owner gives it up.
        unsafe {
            if !self.put(class, block) {
                System.dealloc(block, class.layout());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Class, Layout, MIN_BYTES, PERIOD, RecyclingAllocator};
    use std::alloc::GlobalAlloc;

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, 64).expect("valid")
    }

    #[test]
    fn class_holds_its_request_and_wastes_an_eighth_at_most() {
        for size in (MIN_BYTES + 1..MIN_BYTES * 70).step_by(4097) {
            let class = Class::of(layout(size)).expect("large");
            assert!(class.bytes >= size && class.bytes - size <= size / 8, "{size}: {class:?}");
            assert_eq!(Class::of(layout(class.bytes)), Some(class));
        }
        assert_eq!(Class::of(layout(MIN_BYTES)), None);
        let picture = Layout::from_size_align(1 << 24, 1).expect("valid");
        assert_eq!(Class::of(picture), None, "the system shrinks bytes in place");
    }

    #[test]
    fn a_block_that_grows_or_shrinks_keeps_its_content() {
        let allocator = RecyclingAllocator::new(1 << 30);
        // Small to small, into a class, within it, into a larger one, and back to small.
        let sizes = [1000, 2000, 1_000_000, 1_000_001, 9_000_000, 1000];
        for align in [1, 64] {
            let layout = |size| Layout::from_size_align(size, align).expect("valid");
            // SAFETY: each block is given up once, with the layout that it has then.
            unsafe {
                let mut block = allocator.alloc(layout(sizes[0]));
                block.write_bytes(7, 1000);
                for pair in sizes.windows(2) {
                    block = allocator.realloc(block, layout(pair[0]), pair[1]);
                    assert!((0..1000).all(|i| block.add(i).read() == 7), "{align}: {pair:?}");
                }
                allocator.dealloc(block, layout(1000));
            }
        }
    }

    #[test]
    fn freed_block_serves_the_next_request_of_its_class_cleared_if_asked() {
        let allocator = RecyclingAllocator::new(1 << 30);
        let (first, second) = (layout(1_000_000), layout(1_000_001));
        // SAFETY: every block is freed once, with the layout it was made with.
        unsafe {
            let block = allocator.alloc(first);
            block.write_bytes(7, first.size());
            allocator.dealloc(block, first);
            let again = allocator.alloc_zeroed(second);
            assert_eq!(block, again);
            assert!((0..second.size()).all(|i| again.add(i).read() == 0));
            allocator.dealloc(again, second);
        }
    }

    #[test]
    fn store_keeps_no_more_than_its_limit() {
        let allocator = RecyclingAllocator::new(1_500_000);
        let request = layout(1_000_000);
        // SAFETY: every block is freed once, with the layout it was made with.
        unsafe {
            let (a, b) = (allocator.alloc(request), allocator.alloc(request));
            allocator.dealloc(a, request);
            allocator.dealloc(b, request);
        }
        assert!(allocator.lock().bytes <= 1_500_000);
    }

    #[test]
    fn unused_blocks_go_back_to_the_system() {
        let allocator = RecyclingAllocator::new(1 << 30);
        let (large, small) = (layout(8_000_000), layout(1_000_000));
        let stored = || allocator.lock().bytes;
        // SAFETY: every block is freed once, with the layout it was made with.
        unsafe {
            let blocks = [large, large].map(|layout| allocator.alloc(layout));
            blocks.iter().for_each(|block| allocator.dealloc(*block, large));
            assert!(stored() >= 16_000_000);
            for _ in 0..2 * PERIOD {
                let block = allocator.alloc(small);
                allocator.dealloc(block, small);
            }
        }
        assert!((1_000_000..2_000_000).contains(&stored()), "{} bytes", stored());
        allocator.release();
        assert_eq!(stored(), 0);
    }
}
