//! The fair queue before the decoder.
//!
//! Clients take turns, one picture a turn, so that a hundred files of one do not delay the file of another.
//! Small and large pictures wait in lanes of their own, with threads of their own: neither delays the other.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cifake::guarded;
use tokio::sync::oneshot;

use crate::client::Client;
use crate::problem::Problem;

/// The lane of a piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// It takes a thread for a moment.
    Small,
    /// It takes a thread for long.
    Large,
}

type Job = Box<dyn FnOnce() + Send>;

/// Work that waits for a thread.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    max_waiting: usize,
}

struct Waiting {
    small: Turns,
    large: Turns,
}

/// The work of one lane, and the threads that do it.
struct Turns {
    /// Clients with work, the next one first.
    clients: VecDeque<Client>,
    jobs: HashMap<Client, VecDeque<Job>>,
    n_jobs: usize,
    n_threads: usize,
    max_threads: usize,
}

impl Queue {
    /// A queue of at most `max_waiting` pieces of work. `n_threads` do small work, and half of that number,
    /// rounded up, large work.
    pub(crate) fn new(max_waiting: usize, n_threads: usize) -> Self {
        let n_threads = n_threads.max(1);
        let (small, large) = (Turns::new(n_threads), Turns::new(n_threads.div_ceil(2)));
        Self { waiting: Mutex::new(Waiting { small, large }), max_waiting }
    }

    /// Lets `work` wait for its turn on a blocking thread. A dropped answer cancels it before that.
    ///
    /// A panic of `work` is the fault of this work alone.
    ///
    /// # Errors
    ///
    /// If too much work waits.
    pub(crate) fn add<T: Send + 'static>(
        self: &Arc<Self>,
        client: Client,
        lane: Lane,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Pending<T>, Problem> {
        let (sender, receiver) = oneshot::channel();
        let job = move || {
            if !sender.is_closed() {
                // The client may have gone in the meantime.
                let _ = sender.send(guarded(work).map_err(|_| Problem::internal()));
            }
        };
        let mut waiting = self.waiting();
        if waiting.small.n_jobs + waiting.large.n_jobs >= self.max_waiting {
            return Err(Problem::overloaded());
        }
        let turns = waiting.of(lane);
        turns.push(client, Box::new(job));
        if turns.n_threads < turns.max_threads {
            turns.n_threads += 1;
            let queue = Arc::clone(self);
            tokio::task::spawn_blocking(move || queue.work(lane));
        }
        Ok(Pending(receiver))
    }

    /// Pieces of work that wait for a thread.
    pub(crate) fn n_waiting(&self) -> usize {
        let waiting = self.waiting();
        waiting.small.n_jobs + waiting.large.n_jobs
    }

    /// Works until nothing is left.
    fn work(&self, lane: Lane) {
        while let Some(job) = self.next(lane) {
            job();
        }
    }

    /// The next piece of work. Without one, the thread counts as ended.
    fn next(&self, lane: Lane) -> Option<Job> {
        let mut waiting = self.waiting();
        let turns = waiting.of(lane);
        let job = turns.pop();
        if job.is_none() {
            turns.n_threads -= 1;
        }
        job
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it is held.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer of work that waits or runs.
pub(crate) struct Pending<T>(oneshot::Receiver<Result<T, Problem>>);

impl<T> Pending<T> {
    /// The answer of the work.
    pub(crate) async fn answer(self) -> Result<T, Problem> {
        self.0.await.unwrap_or_else(|_| Err(Problem::internal()))
    }
}

impl Waiting {
    fn of(&mut self, lane: Lane) -> &mut Turns {
        match lane {
            Lane::Small => &mut self.small,
            Lane::Large => &mut self.large,
        }
    }
}

impl Turns {
    fn new(max_threads: usize) -> Self {
        let (clients, jobs) = (VecDeque::new(), HashMap::new());
        Self { clients, jobs, n_jobs: 0, n_threads: 0, max_threads }
    }

    fn push(&mut self, client: Client, job: Job) {
        let own = self.jobs.entry(client).or_default();
        if own.is_empty() {
            self.clients.push_back(client);
        }
        own.push_back(job);
        self.n_jobs += 1;
    }

    fn pop(&mut self) -> Option<Job> {
        let client = self.clients.pop_front()?;
        let own = self.jobs.get_mut(&client)?;
        let job = own.pop_front()?;
        if own.is_empty() {
            self.jobs.remove(&client);
        } else {
            self.clients.push_back(client);
        }
        self.n_jobs -= 1;
        Some(job)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn client(last: u8) -> Client {
        Client::Address([10, 0, 0, last].into())
    }

    /// Occupies the only thread of the lane of small work until the sender is dropped.
    async fn occupied(queue: &Arc<Queue>) -> (mpsc::Sender<()>, Pending<()>) {
        let (release, wait) = mpsc::channel::<()>();
        let (begun, has_begun) = oneshot::channel();
        let pending = queue.add(client(0), Lane::Small, move || {
            begun.send(()).expect("the test waits for it");
            wait.recv().expect_err("nothing is sent");
        });
        has_begun.await.expect("it begins");
        (release, pending.expect("there is room"))
    }

    #[tokio::test]
    async fn clients_take_turns() {
        let queue = Arc::new(Queue::new(100, 1));
        let (release, first) = occupied(&queue).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let add = |last: u8, n: usize| {
            let order = Arc::clone(&order);
            let note = move || order.lock().expect("no test panics in it").push((last, n));
            queue.add(client(last), Lane::Small, note).expect("there is room")
        };
        let mut pending: Vec<_> = (0..4).map(|n| add(1, n)).collect();
        pending.extend([add(2, 0), add(3, 0), add(2, 1)]);
        assert_eq!(queue.n_waiting(), 7);
        drop(release);
        first.answer().await.expect("it ends");
        for pending in pending {
            pending.answer().await.expect("it ends");
        }
        let order = order.lock().expect("no test panics in it");
        assert_eq!(*order, [(1, 0), (2, 0), (3, 0), (1, 1), (2, 1), (1, 2), (1, 3)]);
    }

    #[tokio::test]
    async fn large_and_small_work_do_not_wait_for_each_other() {
        let queue = Arc::new(Queue::new(100, 1));
        let (release, first) = occupied(&queue).await;
        let large = queue.add(client(1), Lane::Large, || 7).expect("there is room");
        assert_eq!(large.answer().await, Ok(7));
        drop(release);
        first.answer().await.expect("it ends");
    }

    #[tokio::test]
    async fn too_much_work_is_refused_and_work_without_a_listener_is_not_done() {
        let queue = Arc::new(Queue::new(1, 1));
        let (release, first) = occupied(&queue).await;
        let (done, was_done) = mpsc::channel();
        let dropped = queue.add(client(1), Lane::Small, move || done.send(())).expect("one waits");
        assert_eq!(queue.add(client(2), Lane::Small, || ()).err(), Some(Problem::overloaded()));
        drop(dropped);
        drop(release);
        first.answer().await.expect("it ends");
        assert!(was_done.recv().is_err(), "the work was dropped undone");
    }

    #[tokio::test]
    async fn a_panic_is_the_fault_of_its_own_work() {
        let queue = Arc::new(Queue::new(10, 1));
        let broken = queue.add(client(1), Lane::Small, || panic!("over a byte")).expect("room");
        let whole = queue.add(client(1), Lane::Small, || 7).expect("room");
        assert_eq!(broken.answer().await, Err::<(), _>(Problem::internal()));
        assert_eq!(whole.answer().await, Ok(7));
    }
}
