//! Load on a server: clients that ask again and again, and some of them in bad faith.

mod client;
mod request;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::workspace::Workspace;
use client::Client;
use request::{Kind, Requests};

/// The pictures that are sent.
const PICTURES: &str = "datasets/sample";

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask load --clients 1 --seconds 10              one client, as fast as it is answered
  cargo xtask load --clients 64 --seconds 600 --hostile 20

Start `cifake serve` first. Every client keeps a connection and sends one picture of datasets/sample a request.
A hostile request is no picture, a broken form, ten thousand parts, another host's, or a body that breaks off.
The task fails in three cases. A request in good faith gets another status than 200, 429 or 503. A hostile one gets
something other than a problem document. A connection ends without an answer.")]
pub(crate) struct Args {
    /// Address of the server
    #[arg(long, default_value = "127.0.0.1:8080")]
    address: SocketAddr,
    /// Path of the requests
    #[arg(long, default_value = "/v1/detect")]
    path: String,
    /// Clients at once
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000))]
    clients: u64,
    /// Seconds
    #[arg(long, default_value_t = 10, value_name = "N")]
    seconds: u64,
    /// Percent of the requests that are in bad faith
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u64).range(..=100))]
    hostile: u64,
    /// Folder of the pictures, JPEG or PNG
    #[arg(long, default_value = PICTURES, value_name = "DIR")]
    pictures: PathBuf,
}

/// The answers of one client or of all.
#[derive(Debug, Default)]
struct Tally {
    /// Times of requests in good faith that were answered with 200.
    times: Vec<Duration>,
    /// Answers by kind and status; 0 is a connection that ended without one.
    statuses: BTreeMap<(Kind, u16), u64>,
}

/// Sends requests and prints what came back; true if every one was answered as it should be.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<bool> {
    let requests = Requests::of(&workspace.root.join(&args.pictures), &args.path)?;
    let start = Instant::now();
    let end = start + Duration::from_secs(args.seconds);
    let tallies = std::thread::scope(|scope| {
        let requests = &requests;
        let client = |number| scope.spawn(move || one(number, args, requests, end));
        // All begin before the first is waited for.
        let clients: Vec<_> = (0..args.clients).map(client).collect();
        clients.into_iter().map(|client| client.join()).collect::<Vec<_>>()
    });
    let seconds = start.elapsed().as_secs_f64();
    let mut all = Tally::default();
    for tally in tallies {
        let tally = tally.ok().context("a client failed")?;
        all.times.extend(tally.times);
        for (key, n) in tally.statuses {
            *all.statuses.entry(key).or_default() += n;
        }
    }
    all.print(args.clients, seconds)?;
    Ok(all.statuses.keys().all(|(kind, status)| kind.may_get(*status)))
}

/// The requests of one client, one after the other.
fn one(number: u64, args: &Args, requests: &Requests, end: Instant) -> Tally {
    let mut client = Client::new(args.address);
    let mut tally = Tally::default();
    // Another order for each client, and the same in every run.
    let mut turn = number.wrapping_mul(7919);
    while Instant::now() < end {
        turn = turn.wrapping_add(1);
        let kind = Kind::of(turn, args.hostile);
        let start = Instant::now();
        let status = client.ask(requests.get(kind, turn), kind.breaks_off());
        if (kind, status) == (Kind::Picture, 200) {
            tally.times.push(start.elapsed());
        }
        *tally.statuses.entry((kind, status)).or_default() += 1;
    }
    tally
}

impl Tally {
    fn print(&mut self, clients: u64, seconds: f64) -> Result<()> {
        ensure!(!self.times.is_empty(), "no picture was answered; does the server run?");
        self.times.sort_unstable();
        let at = |share: f64| {
            let last = self.times.len() - 1;
            self.times[(share * last as f64).round() as usize].as_secs_f64() * 1e3
        };
        let rate = self.times.len() as f64 / seconds;
        println!("clients  pictures/s  p50 ms  p99 ms  max ms");
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(at);
        println!("{clients:>7}  {rate:>10.1}  {p50:>6.1}  {p99:>6.1}  {max:>6.1}\n");
        for ((kind, status), n) in &self.statuses {
            let mark = if kind.may_get(*status) { "" } else { "  <- unexpected" };
            println!("{kind:<12} {status:>3}  {n:>8}{mark}", kind = kind.name());
        }
        Ok(())
    }
}
