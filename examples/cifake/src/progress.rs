//! The progress of a long program.

use std::borrow::Cow;
use std::fmt::Write;
use std::io::{IsTerminal, stderr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// Between two lines of a log.
const LINE: Duration = Duration::from_secs(60);
/// Redraws a second.
const REDRAWS: u8 = 5;

/// A bar on a terminal; in a log, a line a minute and one at the end.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    is_terminal: bool,
    started: Instant,
    log: Mutex<Log>,
}

#[derive(Debug)]
struct Log {
    /// When the present count began.
    began: Instant,
    told: Instant,
    message: String,
    has_told: bool,
}

/// Progress over many pictures, on standard error.
///
/// # Errors
///
/// Never: the template is fixed.
pub fn progress_bar() -> anyhow::Result<Progress> {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} | {msg} | {speed}{left}")?
        .with_key("speed", |state: &ProgressState, out: &mut dyn Write| {
            let _ = out.write_str(&speed(state.per_sec(), state.pos()));
        })
        .with_key("left", |state: &ProgressState, out: &mut dyn Write| {
            let left = if state.pos() == 0 { None } else { Some(state.eta()) };
            let _ = out.write_str(&to_go(left));
        });
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(REDRAWS));
    let now = Instant::now();
    let log = Mutex::new(Log { began: now, told: now, message: String::new(), has_told: false });
    let is_terminal = stderr().is_terminal();
    Ok(Progress { bar: bar.with_style(style), is_terminal, started: now, log })
}

impl Progress {
    /// Progress that nobody sees, for work that is over at once.
    #[must_use]
    pub fn hidden() -> Self {
        let now = Instant::now();
        let log =
            Mutex::new(Log { began: now, told: now, message: String::new(), has_told: false });
        Self { bar: ProgressBar::hidden(), is_terminal: true, started: now, log }
    }

    /// States how much there is to do.
    pub fn set_length(&self, total: u64) {
        self.bar.set_length(total);
    }

    /// States what is worked on.
    pub fn set_message(&self, message: impl Into<Cow<'static, str>>) {
        let message = message.into();
        self.log().message = message.to_string();
        self.bar.set_message(message);
    }

    /// States how much is done. Less than before begins a new count, with a speed of its own.
    pub fn set_position(&self, done: u64) {
        if done < self.bar.position() {
            self.log().began = Instant::now();
            self.bar.reset_eta();
        }
        self.bar.set_position(done);
        self.tell();
    }

    /// States that `more` is done.
    pub fn inc(&self, more: u64) {
        self.bar.inc(more);
        self.tell();
    }

    /// `items`, each of which counts as done when the next is asked for.
    pub fn wrap_iter<I: Iterator>(&self, items: I) -> impl Iterator<Item = I::Item> {
        let mut is_first = true;
        items.inspect(move |_| {
            if !std::mem::take(&mut is_first) {
                self.inc(1);
            }
        })
    }

    /// Does `work`, which prints, while the bar is away.
    pub fn suspend<T>(&self, work: impl FnOnce() -> T) -> T {
        self.bar.suspend(work)
    }

    /// Writes a line above the bar.
    pub fn say(&self, line: &str) {
        self.suspend(|| eprintln!("{line}"));
    }

    /// Ends the progress: the bar goes, and a log that has lines gets a last one.
    pub fn finish_and_clear(&self) {
        if !self.is_terminal && self.log().has_told {
            eprintln!("{} done in {}", self.bar.position(), HumanDuration(self.started.elapsed()));
        }
        self.bar.finish_and_clear();
    }

    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a line into a log where the last one is old enough.
    fn tell(&self) {
        if self.is_terminal {
            return;
        }
        let mut log = self.log();
        if log.told.elapsed() < LINE {
            return;
        }
        (log.told, log.has_told) = (Instant::now(), true);
        let (done, total) = (self.bar.position(), self.bar.length().unwrap_or(0));
        eprintln!("{}", log_line(&log.message, [done, total], log.began.elapsed()));
    }
}

/// A line of a log after `gone`.
fn log_line(message: &str, [done, total]: [u64; 2], gone: Duration) -> String {
    let per_second = done as f64 / gone.as_secs_f64().max(1e-9);
    let left = (done > 0).then(|| {
        let seconds = total.saturating_sub(done) as f64 / per_second;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    });
    let message = if message.is_empty() { String::new() } else { format!("{message}: ") };
    format!("{message}{done} of {total}, {}{}", speed(per_second, done), to_go(left))
}

fn speed(per_second: f64, done: u64) -> String {
    match per_second {
        _ if done == 0 => String::new(),
        p if p >= 10.0 => format!("{p:.0} a second, "),
        p => format!("{p:.1} a second, "),
    }
}

fn to_go(left: Option<Duration>) -> String {
    match left {
        Some(left) => format!("{} to go", HumanDuration(left)),
        None => "just begun".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_log_tells_speed_and_time_left() {
        let line = log_line("PGD", [600, 2400], Duration::from_secs(60));
        assert_eq!(line, "PGD: 600 of 2400, 10 a second, 3 minutes to go");
        let line = log_line("", [3, 6], Duration::from_secs(6));
        assert_eq!(line, "3 of 6, 0.5 a second, 6 seconds to go");
        assert_eq!(log_line("", [0, 6], Duration::from_secs(60)), "0 of 6, just begun");
    }

    #[test]
    fn a_count_that_begins_anew_has_a_speed_of_its_own() {
        let progress = progress_bar().expect("the template is fixed");
        let first = progress.log().began;
        progress.set_position(5);
        progress.set_position(6);
        assert_eq!(progress.log().began, first);
        progress.set_position(1);
        assert!(progress.log().began > first);
    }

    #[test]
    fn items_count_as_they_are_done() {
        let progress = progress_bar().expect("the template is fixed");
        progress.set_length(3);
        for (done, item) in progress.wrap_iter(0..3).enumerate() {
            assert_eq!((done, progress.bar.position()), (item, done as u64));
        }
        progress.inc(1);
        assert_eq!(progress.bar.position(), 3);
    }
}
