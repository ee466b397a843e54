//! Repeated requests and the waits between them.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Limits;

/// Whether a request with this status may succeed later.
pub(super) fn is_passing(status: u16) -> bool {
    matches!(status, 429 | 500 | 502 | 503 | 504)
}

/// The wait that a server asks for: a `Retry-After` in seconds, or the `RetryInfo` in the body of
/// Google's answers. A `Retry-After` with a date is not read.
pub(super) fn asked_wait(header: Option<&str>, body: &[u8]) -> Option<Duration> {
    header.and_then(seconds).or_else(|| {
        let body: Value = serde_json::from_slice(body).ok()?;
        let details = body.pointer("/error/details")?.as_array()?;
        let delay = details.iter().find_map(|detail| detail.get("retryDelay")?.as_str())?;
        seconds(delay.strip_suffix('s')?)
    })
}

fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.trim().parse().ok()?).ok()
}

impl Limits {
    /// The wait after the failed try `attempt`, counted from 1, if the server asks for `asked`. `None`
    /// if it asks for more than the limit. `share`, 0 to 1, is the random part.
    pub(super) fn wait(
        &self,
        attempt: u32,
        asked: Option<Duration>,
        share: f64,
    ) -> Option<Duration> {
        let doubled = 1u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
        let full = self.first_wait.saturating_mul(doubled).min(self.longest_wait);
        let wait = full / 2 + (full / 2).mul_f64(share);
        match asked {
            Some(asked) if asked > self.longest_wait => None,
            Some(asked) => Some(asked.max(wait)),
            None => Some(wait),
        }
    }
}

/// A random number from 0 to 1.
pub(super) fn random_share() -> f64 {
    // The keys of hash maps are drawn at random: a generator of our own needs no seed for this.
    let bits = RandomState::new().build_hasher().finish();
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// Spaces requests in time, also those of several threads.
#[derive(Debug)]
pub(super) struct Pace {
    spacing: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    pub(super) fn new(spacing: Duration) -> Self {
        Self { spacing, next: Mutex::new(None) }
    }

    /// Reserves the next free time and returns the wait from `now` until then.
    pub(super) fn turn(&self, now: Instant) -> Duration {
        let mut next = self.next.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let turn = next.map_or(now, |next| next.max(now));
        *next = turn.checked_add(self.spacing);
        turn - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        timeout: Duration::from_secs(1),
        tries: 9,
        first_wait: Duration::from_secs(1),
        longest_wait: Duration::from_secs(10),
        spacing: Duration::ZERO,
        max_response_bytes: 1,
        max_requests: None,
    };

    #[test]
    fn waits_double_up_to_the_longest_and_half_of_each_is_random() {
        let waits = |share| [1, 2, 3, 4, 5, 60].map(|n| LIMITS.wait(n, None, share));
        assert_eq!(waits(1.0), [1, 2, 4, 8, 10, 10].map(|s| Some(Duration::from_secs(s))));
        assert_eq!(
            waits(0.0),
            [500, 1000, 2000, 4000, 5000, 5000].map(|ms| Some(Duration::from_millis(ms)))
        );
        let shares: Vec<f64> = (0..50).map(|_| random_share()).collect();
        assert!(shares.iter().all(|share| (0.0..1.0).contains(share)));
        assert!(
            shares.iter().any(|share| *share < 0.5) && shares.iter().any(|share| *share >= 0.5)
        );
    }

    #[test]
    fn a_server_gets_the_wait_it_asks_for_or_is_left_alone() {
        let asked = |s| LIMITS.wait(1, Some(Duration::from_secs(s)), 1.0);
        assert_eq!(
            [asked(0), asked(7), asked(11)].map(|wait| wait.map(|wait| wait.as_secs())),
            [Some(1), Some(7), None]
        );
    }

    #[test]
    fn the_wait_is_read_from_the_header_or_from_googles_body() {
        let body = br#"{"error": {"details": [{"@type": "Help"}, {"retryDelay": "34.5s"}]}}"#;
        assert_eq!(asked_wait(Some("7"), body), Some(Duration::from_secs(7)));
        assert_eq!(asked_wait(None, body), Some(Duration::from_millis(34_500)));
        for nothing in ["-1", "NaN", "inf", "1e999", "Wed, 21 Oct 2015 07:28:00 GMT", ""] {
            assert_eq!(asked_wait(Some(nothing), b"no JSON"), None, "{nothing}");
        }
    }

    #[test]
    fn turns_are_a_spacing_apart_however_late_they_are_asked_for() {
        let (pace, start) = (Pace::new(Duration::from_secs(4)), Instant::now());
        let turn = |at| pace.turn(start + Duration::from_secs(at)).as_secs();
        assert_eq!([turn(0), turn(0), turn(1), turn(30), turn(31)], [0, 4, 7, 0, 3]);
    }
}
