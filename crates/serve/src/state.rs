//! The parts of a service that all requests share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use cifake::Detector;

use crate::admission::Admission;
use crate::auth::Token;
use crate::batch::Batcher;
use crate::body::Memory;
use crate::limits::Limits;
use crate::metrics::{Gauges, Metrics};
use crate::queue::Queue;

/// The parts of a service that all requests share.
pub(crate) struct State {
    pub(crate) detector: Detector,
    pub(crate) limits: Limits,
    pub(crate) token: Option<Token>,
    /// Only requests to names of this machine are answered.
    pub(crate) is_local: bool,
    /// No further request is accepted.
    pub(crate) is_closing: AtomicBool,
    pub(crate) admission: Arc<Admission>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) batcher: Arc<Batcher>,
    pub(crate) metrics: Arc<Metrics>,
}

impl State {
    pub(crate) fn new(
        detector: Detector,
        limits: Limits,
        token: Option<Token>,
        is_local: bool,
    ) -> Self {
        let metrics = Arc::new(Metrics::default());
        let batcher = Batcher::new(detector.clone(), limits.window, Arc::clone(&metrics));
        Self {
            queue: Arc::new(Queue::new(limits.max_queue, detector.threads().n_threads())),
            batcher: Arc::new(batcher),
            admission: Arc::default(),
            memory: Arc::default(),
            is_closing: AtomicBool::new(false),
            detector,
            limits,
            token,
            is_local,
            metrics,
        }
    }

    /// All figures as a text.
    pub(crate) fn figures(&self) -> String {
        self.metrics.text(Gauges {
            n_waiting: self.queue.n_waiting(),
            n_open: self.admission.n_open(),
            n_body_bytes: self.memory.n_bytes(),
        })
    }
}
