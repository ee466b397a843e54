//! A client of W3C WebDriver for these tests: JSON over HTTP to a `chromedriver` on this computer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Longest time that a page may need for what a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time between two looks at a page.
const LOOK: Duration = Duration::from_millis(50);
/// Key under which WebDriver puts the id of an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Collects faults before a page's own scripts run: those of scripts and those of its content security policy.
const WATCH: &str = "
    window.faults = [];
    addEventListener('error', (event) => window.faults.push(`error: ${event.message}`));
    addEventListener('unhandledrejection', (event) => window.faults.push(`rejection: ${event.reason}`));
    addEventListener('securitypolicyviolation', (event) =>
        window.faults.push(`policy: ${event.violatedDirective} ${event.blockedURI}`));";

/// A headless Chromium, which ends with this value.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
}

impl Browser {
    /// Starts a browser and opens `address` in a viewport of `width` by 900 pixels.
    pub(crate) fn open(address: &str, width: u32) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts; `apt-get install chromium chromium-driver` brings it");
        let port = port(&mut driver);
        let mut browser = Self { driver, port, session: String::new() };
        // Tests may run as root in a container, where Chromium's sandbox cannot start. Only our own page is opened.
        let arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
        let session = browser.call(
            "POST",
            "/session",
            &json!({"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": {"args": arguments}}}}),
        );
        browser.session = session["sessionId"].as_str().expect("a session has an id").to_owned();
        browser.chromium("Page.addScriptToEvaluateOnNewDocument", json!({ "source": WATCH }));
        browser.resize(width);
        browser.post("/url", json!({ "url": address }));
        browser
    }

    /// Makes the viewport `width` by 900 pixels.
    pub(crate) fn resize(&self, width: u32) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.chromium("Emulation.setDeviceMetricsOverride", size);
    }

    /// Lets the page save files into `folder`.
    pub(crate) fn save_into(&self, folder: &str) {
        let allowed = json!({"behavior": "allow", "downloadPath": folder});
        self.chromium("Browser.setDownloadBehavior", allowed);
    }

    /// Runs the body of a function on the page; `arguments[0]` is `argument`.
    pub(crate) fn run(&self, body: &str, argument: &Value) -> Value {
        self.post("/execute/sync", json!({"script": body, "args": [argument]}))
    }

    /// The value of an expression on the page.
    pub(crate) fn value(&self, expression: &str) -> Value {
        self.run(&format!("return {expression};"), &Value::Null)
    }

    /// The visible text of the first element that `selector` selects.
    pub(crate) fn text(&self, selector: &str) -> String {
        let text =
            self.run("return document.querySelector(arguments[0])?.innerText;", &json!(selector));
        text.as_str().unwrap_or_else(|| panic!("nothing is `{selector}`")).to_owned()
    }

    /// Waits until an expression on the page is true.
    pub(crate) fn wait(&self, expression: &str) {
        let start = Instant::now();
        while self.value(expression) != Value::Bool(true) {
            let waited = start.elapsed() < PATIENCE;
            assert!(waited, "never true: {expression}; the page says:\n{}", self.text("body"));
            sleep(LOOK);
        }
    }

    /// Types into the element that has the focus. Keys without a letter have code points of their own; see [`key`].
    pub(crate) fn press(&self, keys: &str) {
        let steps = keys.chars().flat_map(|key| {
            ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.to_string()}))
        });
        let actions =
            json!([{"type": "key", "id": "keyboard", "actions": steps.collect::<Vec<_>>()}]);
        self.post("/actions", json!({ "actions": actions }));
    }

    /// Chooses files of this computer with the file field that `selector` selects.
    pub(crate) fn choose(&self, selector: &str, paths: &[String]) {
        let found = self.post("/element", json!({"using": "css selector", "value": selector}));
        let id = found[ELEMENT].as_str().expect("an element has an id");
        self.post(&format!("/element/{id}/value"), json!({"text": paths.join("\n")}));
    }

    /// Asserts that the page's scripts failed nowhere and that its policy had nothing to forbid.
    pub(crate) fn assert_no_fault(&self) {
        assert_eq!(self.value("window.faults"), json!([]));
    }

    fn chromium(&self, command: &str, parameters: Value) {
        self.post("/goog/cdp/execute", json!({"cmd": command, "params": parameters}));
    }

    fn post(&self, path: &str, body: Value) -> Value {
        self.call("POST", &format!("/session/{}{path}", self.session), &body)
    }

    /// One command of WebDriver.
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, mut answer) = exchange(self.port, method, path, &body.to_string());
        let value = answer["value"].take();
        assert_eq!(status, 200, "{method} {path}: {value}");
        value
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // The end of the session ends Chromium; chromedriver alone would leave it behind.
            let _ = try_exchange(self.port, "DELETE", &format!("/session/{}", self.session), "");
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Keys without a letter, as WebDriver encodes them.
pub(crate) mod key {
    pub(crate) const TAB: &str = "\u{e004}";
    pub(crate) const ENTER: &str = "\u{e007}";
    pub(crate) const END: &str = "\u{e010}";
}

/// The port that a fresh `chromedriver` names on its standard output.
fn port(driver: &mut Child) -> u16 {
    let output = driver.stdout.take().expect("standard output is piped");
    let mut lines = BufReader::new(output).lines();
    let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    // A full pipe would stop the driver.
    std::thread::spawn(move || lines.for_each(drop));
    port.expect("chromedriver names its port")
}

fn exchange(port: u16, method: &str, path: &str, body: &str) -> (u16, Value) {
    try_exchange(port, method, path, body).expect("chromedriver answers")
}

/// One request over a connection of its own: status and JSON of the answer.
fn try_exchange(port: u16, method: &str, path: &str, body: &str) -> std::io::Result<(u16, Value)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let mut content = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut content)?;
    Ok((status, serde_json::from_slice(&content)?))
}
