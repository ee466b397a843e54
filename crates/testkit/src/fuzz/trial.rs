//! Many files through one door.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use super::Door;
use super::mutation::{changed, noise};

/// Changed files that an ordinary test brings to a door.
const N_FILES: u64 = 256;

/// Seconds that one file may take; a debug build on a busy machine is slow.
const MOST_SECONDS: u64 = 120;

/// Bytes by which one file may raise the peak of the process's memory.
const MOST_BYTES: u64 = 1 << 30;

thread_local! {
    /// A door is open in this thread: a panic is caught, by a library or here.
    static IS_OPEN: Cell<bool> = const { Cell::new(false) };
}

/// The length of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Files(u64),
    Seconds(u64),
}

/// Ends the process when one file takes longer than [`MOST_SECONDS`]: nothing else ends a loop.
struct Watch {
    /// When the file at hand came to the door; `None` after the trial.
    start: Arc<Mutex<Option<Instant>>>,
}

impl Watch {
    fn over(door: &'static str) -> Self {
        let start = Arc::new(Mutex::new(Some(Instant::now())));
        let watched = Arc::clone(&start);
        std::thread::spawn(move || {
            loop {
                // Copied in a statement of its own: the lock must not be held while this sleeps.
                let start = *watched.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(start) = start else { return };
                if start.elapsed() > Duration::from_secs(MOST_SECONDS) {
                    eprintln!("the door {door} takes more than {MOST_SECONDS} s for one file");
                    std::process::abort();
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        Self { start }
    }

    fn set(&self, start: Option<Instant>) {
        *self.start.lock().unwrap_or_else(PoisonError::into_inner) = start;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.set(None);
    }
}

/// Brings the `seeds`, changed seeds and noise to `door`.
///
/// An ordinary test brings 256 changed files, the same ones each time. `cargo xtask fuzz` sets
/// `FUZZ_SECONDS` and `FUZZ_SEED` for longer trials, and `FUZZ_FOLDER` for the file at hand: it is
/// written there before it comes to the door, so that it outlives a process that is killed.
///
/// A panic that a library catches, one of a third-party crate, is an ordinary answer. It is not
/// printed.
///
/// # Panics
/// If the door panics or raises the peak of memory by more than 1 GiB; the message holds the file's
/// place. Also if there is no seed. A file that takes more than two minutes ends the process.
pub fn trial(door: &Door, seeds: &[Vec<u8>]) {
    assert!(!seeds.is_empty(), "the door {} has no seed", door.name);
    hush_panics();
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let length = number("FUZZ_SECONDS").map_or(Length::Files(N_FILES), Length::Seconds);
    let folder = std::env::var_os("FUZZ_FOLDER").map(PathBuf::from);
    let mut rng = ChaCha8Rng::seed_from_u64(number("FUZZ_SEED").unwrap_or_default());
    let watch = Watch::over(door.name);
    let enter = |bytes: &[u8]| {
        watch.set(Some(Instant::now()));
        enter(door, bytes, folder.as_deref());
    };
    for bytes in seeds.iter().chain([&Vec::new()]) {
        enter(bytes);
    }
    let (start, mut n_files) = (Instant::now(), 0);
    while match length {
        Length::Files(n) => n_files < n,
        Length::Seconds(seconds) => start.elapsed() < Duration::from_secs(seconds),
    } {
        let bytes = if n_files % 8 == 7 { noise(&mut rng) } else { changed(seeds, &mut rng) };
        enter(&bytes);
        n_files += 1;
    }
    if let Length::Seconds(seconds) = length {
        eprintln!("{}: {n_files} files in {seconds} s", door.name);
    }
}

/// Lets one file in and judges how the door took it.
fn enter(door: &Door, bytes: &[u8], folder: Option<&Path>) {
    let at_hand = folder.map(|folder| folder.join(door.name));
    if let Some(file) = &at_hand {
        std::fs::write(file, bytes).expect("the folder is writable");
    }
    let before = peak_bytes();
    IS_OPEN.set(true);
    let answer = catch_unwind(AssertUnwindSafe(|| (door.open)(bytes)));
    IS_OPEN.set(false);
    let fault = if let Err(panic) = answer {
        let message = panic.downcast_ref::<String>().cloned();
        let message =
            message.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        format!("panics: {}", message.unwrap_or_default())
    } else if peak_bytes() > before + MOST_BYTES {
        format!("takes {} more bytes of memory", peak_bytes() - before)
    } else {
        if let Some(file) = at_hand {
            std::fs::remove_file(file).expect("it was written");
        }
        return;
    };
    let file = at_hand.unwrap_or_else(|| std::env::temp_dir().join(format!("door-{}", door.name)));
    std::fs::write(&file, bytes).expect("the folder is writable");
    panic!("the door {} {fault}; the file is {}", door.name, file.display());
}

/// Keeps the panics of an open door from being printed; others are printed as before.
fn hush_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !IS_OPEN.get() {
                print(panic);
            }
        }));
    });
}

/// Peak of the resident memory of this process so far; 0 where the system does not tell.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().map_or(0, |kilobytes: u64| kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panics_on_a_brace(bytes: &[u8]) {
        assert!(!bytes.contains(&b'{'), "a brace");
    }

    fn catches_its_panic(bytes: &[u8]) {
        let _ = catch_unwind(|| panics_on_a_brace(bytes));
    }

    #[test]
    fn a_door_that_panics_is_found_and_its_file_kept() {
        let door = Door { name: "brace", open: panics_on_a_brace };
        let tried = catch_unwind(|| trial(&door, &[b"abcdez".to_vec(), b"12 {".to_vec()]));
        let panic = tried.expect_err("a seed holds a brace");
        let message = panic.downcast_ref::<String>().expect("a formatted message");
        assert!(message.contains("the door brace panics: a brace"), "{message}");
        let file = std::env::temp_dir().join("door-brace");
        assert_eq!(std::fs::read(&file).expect("it is kept"), b"12 {");
        std::fs::remove_file(file).expect("it is there");
    }

    #[test]
    fn a_panic_that_a_library_catches_is_an_answer() {
        trial(&Door { name: "caught", open: catches_its_panic }, &[b"{}".to_vec()]);
    }
}
