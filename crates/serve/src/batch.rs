//! One pass of the model for the pictures of several clients.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cifake::{Detector, Error, Fitted, Verdict, guarded};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::metrics::Metrics;
use crate::problem::Problem;

/// Collects pictures and judges them together.
///
/// A picture waits for others while the model is at work, and up to a window of time while other
/// pictures are on their way. A lone picture does not wait.
pub(crate) struct Batcher {
    detector: Detector,
    window: Duration,
    metrics: Arc<Metrics>,
    waiting: Mutex<Waiting>,
    /// Pictures of accepted requests that have no verdict yet.
    n_expected: AtomicUsize,
    /// Called when a picture arrives, and when one that was expected will not.
    changed: Notify,
}

#[derive(Default)]
struct Waiting {
    pictures: VecDeque<Entry>,
    /// A task judges them.
    is_served: bool,
}

/// A picture that waits for its verdict.
struct Entry {
    fitted: Fitted,
    since: Instant,
    answer: oneshot::Sender<Result<Verdict, Problem>>,
}

/// A picture that is on its way. Its drop says that it has its verdict, or gets none.
pub(crate) struct Expected(Arc<Batcher>);

impl Batcher {
    pub(crate) fn new(detector: Detector, window: Duration, metrics: Arc<Metrics>) -> Self {
        let (waiting, n_expected) = (Mutex::default(), AtomicUsize::new(0));
        Self { detector, window, metrics, waiting, n_expected, changed: Notify::new() }
    }

    /// Announces a picture, for which those before it may wait.
    pub(crate) fn expect(self: &Arc<Self>) -> Expected {
        self.n_expected.fetch_add(1, Ordering::Relaxed);
        Expected(Arc::clone(self))
    }

    /// Takes the pictures that wait until none is left.
    async fn serve(self: Arc<Self>) {
        while let Some(since) = self.oldest() {
            self.wait_for_others(since + self.window).await;
            let batch = self.take();
            let batcher = Arc::clone(&self);
            // A panic that reaches this far has dropped its entries, whose clients then learn of it.
            let _ = tokio::task::spawn_blocking(move || batcher.judge(batch)).await;
        }
    }

    /// The time since which the first picture waits. Without one, the serving task counts as ended.
    fn oldest(&self) -> Option<Instant> {
        let mut waiting = self.waiting();
        let since = waiting.pictures.front().map(|entry| entry.since);
        waiting.is_served = since.is_some();
        since
    }

    /// Returns when a batch is full, when nobody else is expected, or at `end`.
    async fn wait_for_others(&self, end: Instant) {
        loop {
            let n_waiting = self.waiting().pictures.len();
            let n_expected = self.n_expected.load(Ordering::Relaxed);
            if n_waiting >= self.detector.batch_size().min(n_expected) {
                return;
            }
            if timeout_at(end, self.changed.notified()).await.is_err() {
                return;
            }
        }
    }

    /// The pictures of the next pass.
    fn take(&self) -> Vec<Entry> {
        let mut waiting = self.waiting();
        let n = waiting.pictures.len().min(self.detector.batch_size());
        waiting.pictures.drain(..n).collect()
    }

    /// Judges the pictures whose clients still wait: together, or each alone where that fails.
    fn judge(&self, mut batch: Vec<Entry>) {
        batch.retain(|entry| !entry.answer.is_closed());
        if batch.is_empty() {
            return;
        }
        self.metrics.pass(batch.len());
        let fitted: Vec<&Fitted> = batch.iter().map(|entry| &entry.fitted).collect();
        match self.verdicts(&fitted) {
            Ok(verdicts) => {
                for (entry, verdict) in batch.into_iter().zip(verdicts) {
                    let _ = entry.answer.send(Ok(verdict));
                }
            }
            Err(problem) if batch.len() == 1 => {
                batch.into_iter().for_each(|entry| drop(entry.answer.send(Err(problem.clone()))));
            }
            Err(_) => batch.into_iter().for_each(|entry| self.judge(vec![entry])),
        }
    }

    /// The verdicts of one pass, in the order of the pictures.
    fn verdicts(&self, fitted: &[&Fitted]) -> Result<Vec<Verdict>, Problem> {
        let outcome = guarded(|| self.detector.detect_fitted_batch(fitted));
        let verdicts = outcome.map_err(|_| Problem::internal())?;
        verdicts.map_err(|error: Error| Problem::from(error))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it is held.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Expected {
    /// The verdict on the picture, which has arrived as `fitted`.
    pub(crate) async fn verdict(self, fitted: Fitted) -> Result<Verdict, Problem> {
        let (answer, verdict) = oneshot::channel();
        let batcher = &self.0;
        {
            let mut waiting = batcher.waiting();
            waiting.pictures.push_back(Entry { fitted, since: Instant::now(), answer });
            if !std::mem::replace(&mut waiting.is_served, true) {
                tokio::spawn(Arc::clone(batcher).serve());
            }
        }
        batcher.changed.notify_one();
        verdict.await.unwrap_or_else(|_| Err(Problem::internal()))
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.0.n_expected.fetch_sub(1, Ordering::Relaxed);
        self.0.changed.notify_one();
    }
}
