//! The real server with the shipped detector, on a port of its own.

use std::path::Path;
use std::time::{Duration, Instant};

use cifake::Detector;
use cifake_serve::{Server, Service};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// Longest time for a page to be saved.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that ends with this value.
pub(crate) struct Site {
    address: String,
    detector: Detector,
    folder: TempDir,
    runtime: Option<Runtime>,
    stop: Option<oneshot::Sender<()>>,
}

impl Site {
    /// Starts the server of a test; each test has one of its own.
    pub(crate) fn start() -> Self {
        let detector = tinyvit::embedded().expect("the shipped weights are whole");
        let service = Service::builder(detector.clone()).local_only().build();
        let runtime = Runtime::new().expect("threads start");
        let server = runtime.block_on(Server::bind(([127, 0, 0, 1], 0).into()));
        let server = server.expect("a port is free");
        let address = server.address();
        let (stop, stopped) = oneshot::channel();
        runtime.spawn(async move {
            let stopped = async { drop(stopped.await) };
            server.run(&service, service.router(), stopped).await;
        });
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let address = format!("http://{address}/");
        Self { address, detector, folder, runtime: Some(runtime), stop: Some(stop) }
    }

    /// The address of the page.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The detector's own probability of a picture, as the page writes it.
    pub(crate) fn percent(&self, picture: &[u8]) -> String {
        let decoded = self.detector.decoder().decode(picture).expect("a sample is a picture");
        let verdict = self.detector.detect(decoded).expect("a picture gets a verdict");
        format!("{:.1}\u{a0}%", 100.0 * f64::from(verdict.p_fake))
    }

    /// A folder that ends with the server.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The text of the first whole file in the folder with this ending.
    pub(crate) fn saved(&self, ending: &str) -> String {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let files = std::fs::read_dir(self.folder()).expect("the folder is there");
            let mut paths = files.filter_map(|file| Some(file.ok()?.path()));
            if let Some(path) = paths.find(|path| path.extension().is_some_and(|e| e == ending)) {
                return std::fs::read_to_string(path).expect("a report is text");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("no file ends with .{ending} in {}", self.folder().display());
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }
}

/// The bytes of a sample of the repository.
pub(crate) fn sample(name: &str) -> Vec<u8> {
    std::fs::read(sample_path(name)).expect("the repository holds it")
}

/// The whole path of a sample of the repository, as `chromedriver` asks for it.
pub(crate) fn sample_path(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/sample");
    let path = folder.join(name).canonicalize().expect("the repository holds it");
    path.to_string_lossy().into_owned()
}
