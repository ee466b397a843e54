//! The number of requests that are worked on at once, of all clients and of each.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::client::Client;
use crate::limits::Limits;
use crate::problem::{Problem, ProblemKind};

/// Counts requests with pictures.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    n: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A place among the requests that are worked on; its drop gives it back.
#[derive(Debug)]
pub(crate) struct Place {
    admission: Arc<Admission>,
    address: Option<IpAddr>,
}

impl Admission {
    /// A place for a request of `client`.
    pub(crate) fn enter(
        self: &Arc<Self>,
        client: Client,
        limits: &Limits,
    ) -> Result<Place, Problem> {
        let mut open = self.open();
        let address = client.address();
        let n_own = address.and_then(|address| open.by_address.get(&address)).copied();
        if n_own.unwrap_or(0) >= limits.max_per_client {
            let detail = "you have too many requests open; wait for their answers";
            return Err(Problem::new(ProblemKind::TooManyRequests, detail));
        }
        if open.n >= limits.max_in_flight {
            return Err(Problem::overloaded());
        }
        open.n += 1;
        if let Some(address) = address {
            *open.by_address.entry(address).or_default() += 1;
        }
        Ok(Place { admission: Arc::clone(self), address })
    }

    /// Requests that are worked on.
    pub(crate) fn n_open(&self) -> usize {
        self.open().n
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // Counts are whole after every statement.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.admission.open();
        open.n -= 1;
        let Some(address) = self.address else { return };
        if let Some(n) = open.by_address.get_mut(&address) {
            *n -= 1;
            if *n == 0 {
                open.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_and_all_clients_have_limits_of_their_own() {
        let limits = Limits { max_in_flight: 3, max_per_client: 2, ..Limits::default() };
        let admission = Arc::new(Admission::default());
        let [one, other] = [1, 2].map(|last| Client::Address([10, 0, 0, last].into()));
        let kind = |client| admission.enter(client, &limits).map_err(|problem| problem.kind);
        let first = kind(one).expect("there is room");
        let second = kind(one).expect("there is room");
        assert_eq!(kind(one).err(), Some(ProblemKind::TooManyRequests));
        let third = kind(other).expect("there is room");
        assert_eq!(kind(other).err(), Some(ProblemKind::Overloaded));
        drop(first);
        assert!(kind(one).is_ok(), "the place was given back");
        drop((second, third));
        assert_eq!(admission.n_open(), 0);
        assert!(admission.open().by_address.is_empty(), "nothing is kept of a client");
    }
}
