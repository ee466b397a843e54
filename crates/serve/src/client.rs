//! The sender of a request, as far as fairness needs to know it.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::ConnectInfo;
use axum::http::Extensions;

/// The sender of a request: the holder of one share of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    /// Another machine, whatever number of connections it has.
    Address(IpAddr),
    /// A connection of this machine: its programs share one address, and so do the clients of a proxy.
    Connection(SocketAddr),
    /// A request of unknown origin.
    Request(u64),
}

impl Client {
    /// The client behind a request with `extensions`: of unknown origin where no `ConnectInfo` is among them.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        match extensions.get::<ConnectInfo<SocketAddr>>() {
            Some(ConnectInfo(peer)) if peer.ip().to_canonical().is_loopback() => {
                Self::Connection(*peer)
            }
            Some(ConnectInfo(peer)) => Self::Address(peer.ip().to_canonical()),
            None => Self::Request(NEXT.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// Its network address, where it is known.
    pub(crate) fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address),
            Self::Connection(peer) => Some(peer.ip()),
            Self::Request(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str) -> Client {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo::<SocketAddr>(peer.parse().expect("an address")));
        Client::of(&extensions)
    }

    #[test]
    fn connections_of_this_machine_are_clients_and_those_of_others_are_not() {
        assert_eq!(client("10.0.0.1:1"), client("10.0.0.1:2"));
        assert_eq!(client("[::ffff:10.0.0.1]:1"), client("10.0.0.1:2"));
        assert_ne!(client("127.0.0.1:1"), client("127.0.0.1:2"));
        assert_ne!(client("[::1]:1"), client("[::1]:2"));
        assert_ne!(Client::of(&Extensions::new()), Client::of(&Extensions::new()));
    }
}
