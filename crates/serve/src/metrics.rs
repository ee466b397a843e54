//! Figures of a running service, in the text format of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Upper bounds of the histogram of latencies, in seconds.
const SECONDS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Upper bounds of the histogram of passes, in pictures.
const PICTURES: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// Counts of a running service. They hold nothing of a picture or a client.
#[derive(Debug)]
pub(crate) struct Metrics {
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    /// Requests by path and status.
    requests: BTreeMap<(String, u16), u64>,
    n_pictures: u64,
    n_failed: u64,
    latency: BTreeMap<String, Histogram>,
    passes: Histogram,
}

/// Values of the present moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gauges {
    pub(crate) n_waiting: usize,
    pub(crate) n_open: usize,
    pub(crate) n_body_bytes: u64,
}

#[derive(Debug)]
struct Histogram {
    bounds: &'static [f64],
    /// One count a bound, and one for the values beyond the last.
    counts: Vec<u64>,
    sum: f64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            counts: Mutex::new(Counts {
                requests: BTreeMap::new(),
                n_pictures: 0,
                n_failed: 0,
                latency: BTreeMap::new(),
                passes: Histogram::new(&PICTURES),
            }),
        }
    }
}

impl Metrics {
    /// Counts an answer with `status` to a request of the route `path` after `time`.
    pub(crate) fn request(&self, path: &str, status: u16, time: Duration) {
        let mut counts = self.counts();
        *counts.requests.entry((path.to_owned(), status)).or_default() += 1;
        let latency = counts.latency.entry(path.to_owned());
        latency.or_insert_with(|| Histogram::new(&SECONDS)).add(time.as_secs_f64());
    }

    /// Counts a picture.
    pub(crate) fn picture(&self, has_answer: bool) {
        let mut counts = self.counts();
        counts.n_pictures += 1;
        counts.n_failed += u64::from(!has_answer);
    }

    /// Counts one pass of the model over `n` pictures.
    pub(crate) fn pass(&self, n: usize) {
        self.counts().passes.add(n as f64);
    }

    /// All figures as a text.
    pub(crate) fn text(&self, gauges: Gauges) -> String {
        let counts = self.counts();
        let mut page = Page::default();
        page.head("cifake_requests_total", "counter", "Answers by route and status.");
        for ((path, status), n) in &counts.requests {
            page.line(
                "cifake_requests_total",
                &format!("route=\"{path}\",status=\"{status}\""),
                *n as f64,
            );
        }
        for (name, help, n) in [
            ("cifake_pictures_total", "Pictures that were worked on.", counts.n_pictures),
            ("cifake_pictures_failed_total", "Pictures without an answer.", counts.n_failed),
        ] {
            page.head(name, "counter", help);
            page.line(name, "", n as f64);
        }
        for (name, help, n) in [
            ("cifake_queue_pictures", "Pictures that wait to be decoded.", gauges.n_waiting as f64),
            ("cifake_requests_open", "Requests with pictures in work.", gauges.n_open as f64),
            ("cifake_body_bytes", "Bytes of bodies in memory.", gauges.n_body_bytes as f64),
        ] {
            page.head(name, "gauge", help);
            page.line(name, "", n);
        }
        page.head(
            "cifake_request_seconds",
            "histogram",
            "Time from a request's head to its answer.",
        );
        for (path, latency) in &counts.latency {
            page.histogram("cifake_request_seconds", &format!("route=\"{path}\""), latency);
        }
        page.head(
            "cifake_pass_pictures",
            "histogram",
            "Pictures that went through the model together.",
        );
        page.histogram("cifake_pass_pictures", "", &counts.passes);
        page.0
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Counts are whole after every statement.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    fn add(&mut self, value: f64) {
        self.counts[self.bounds.partition_point(|bound| *bound < value)] += 1;
        self.sum += value;
    }
}

/// A text in Prometheus's exposition format, version 0.0.4.
#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    fn line(&mut self, name: &str, labels: &str, value: f64) {
        match labels {
            "" => self.write(format_args!("{name} {value}\n")),
            _ => self.write(format_args!("{name}{{{labels}}} {value}\n")),
        }
    }

    fn histogram(&mut self, name: &str, labels: &str, histogram: &Histogram) {
        let separator = if labels.is_empty() { "" } else { "," };
        let bounds = histogram.bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        let mut n = 0;
        for (bound, count) in bounds.zip(&histogram.counts) {
            n += count;
            let labels = format!("{labels}{separator}le=\"{bound}\"");
            self.line(&format!("{name}_bucket"), &labels, n as f64);
        }
        self.line(&format!("{name}_sum"), labels, histogram.sum);
        self.line(&format!("{name}_count"), labels, n as f64);
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("a String takes every text");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_that_of_prometheus() {
        let metrics = Metrics::default();
        metrics.request("/v1/detect", 200, Duration::from_millis(3));
        metrics.request("/v1/detect", 200, Duration::from_secs(60));
        metrics.picture(true);
        metrics.picture(false);
        metrics.pass(3);
        let text = metrics.text(Gauges { n_waiting: 5, n_open: 2, n_body_bytes: 9 });
        for line in [
            "# TYPE cifake_requests_total counter",
            "cifake_requests_total{route=\"/v1/detect\",status=\"200\"} 2",
            "cifake_pictures_total 2",
            "cifake_pictures_failed_total 1",
            "cifake_queue_pictures 5",
            "cifake_request_seconds_bucket{route=\"/v1/detect\",le=\"0.0025\"} 0",
            "cifake_request_seconds_bucket{route=\"/v1/detect\",le=\"0.005\"} 1",
            "cifake_request_seconds_bucket{route=\"/v1/detect\",le=\"+Inf\"} 2",
            "cifake_request_seconds_count{route=\"/v1/detect\"} 2",
            "cifake_pass_pictures_bucket{le=\"2\"} 0",
            "cifake_pass_pictures_bucket{le=\"4\"} 1",
            "cifake_pass_pictures_sum 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }
}
