//! A whole service: its router without a socket, and some of it over one.

mod bodies;
mod guarding;
mod routes;
mod sharing;
mod socket;
mod support;
mod toy;
