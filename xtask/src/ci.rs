//! Everything that `.ci/run` does, cheapest first. All steps share one profile and one set of
//! features, so that burn is built once; a failed step does not hide the ones after it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::count::{Count, test_result};
use crate::process::{cargo, output, shown, succeeds};
use crate::workspace::{LIGHT_FEATURES, Role, Workspace, feature_list};
use crate::{api, browser, commands, fuzz, outside, tidy, web};

/// The test that states the device contract.
const DEVICE_TEST: &str = "same_numbers_on_every_device";

/// The time after which no heavy part begins that few builds have: CI must end, on a slow machine too.
const TIME_FOR_HEAVY_PARTS: Duration = Duration::from_secs(60 * 60);

/// The time for which changed files are tried at each door.
const SECONDS_A_DOOR: u64 = 20;

/// The descriptions of Mesa's software Vulkan driver, by version.
const SOFTWARE_VULKAN: [&str; 2] =
    ["/usr/share/vulkan/icd.d/lvp_icd.json", "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json"];

const VULKAN_HELP: &str = "\
Software Vulkan, for machines without a GPU (Debian 12):
  apt-get install libvulkan1 vulkan-tools
  apt-get install -t bookworm-backports mesa-vulkan-drivers
Mesa must be 25 or newer: the 22.3 of Debian 12 itself crashes under burn-wgpu. Where the driver
stands in its usual place, VK_ICD_FILENAMES is set to it. The build takes about 15 minutes on two
cores and is not part of a plain `cargo xtask ci`.

CUDA is only type-checked (`--gpu`): DOCS_RS=1 keeps the build scripts from fetching LLVM.";

#[derive(clap::Args)]
#[command(after_help = VULKAN_HELP)]
pub(crate) struct Args {
    /// Run only the device contract, with this device built in
    #[arg(long, value_name = "DEVICE", value_parser = ["ndarray", "wgpu", "cuda"])]
    device: Option<String>,
    /// After everything else, type-check the wgpu and cuda features (about 400 more crates)
    #[arg(long)]
    gpu: bool,
    /// After everything else, build the page with the detector inside and test it in Chromium
    #[arg(long)]
    web: bool,
}

struct Row {
    step: String,
    time: Duration,
    count: Count,
    /// Free bytes of the disk after the step, in GB, where `df` tells.
    free: Option<f64>,
}

/// Runs steps, prints them as they come and keeps what the table at the end shows.
struct Run<'a> {
    root: &'a Path,
    rows: Vec<Row>,
}

/// Runs CI; true if every step and every test passed.
///
/// `understands` tells whether `cargo xtask` understands arguments, and if not, why.
pub(crate) fn run(
    workspace: &Workspace,
    args: &Args,
    understands: fn(&[String]) -> std::result::Result<(), String>,
) -> Result<bool> {
    let mut run = Run { root: &workspace.root, rows: Vec::new() };
    match args.device.as_deref() {
        Some(device) => device_contract(&mut run, workspace, device)?,
        None => {
            run.cargo("format", &["fmt", "--all", "--check"], &[], &[]);
            run.step("tidy", "cargo xtask tidy", || {
                tidy::run(workspace, &tidy::Args::default(), understands).map(Count::of)
            });
            everything(&mut run, workspace, args);
        }
    }
    Ok(run.summary())
}

fn everything(run: &mut Run, workspace: &Workspace, args: &Args) {
    let features = feature_list(&workspace.packages, LIGHT_FEATURES);
    let built = ["--workspace", "--features", &features];
    run.cargo("lints", &["clippy", "--all-targets"], &built, &["--", "-D", "warnings"]);
    lints_alone(run, workspace);
    let mut docs = cargo(run.root, &["doc", "--no-deps"]);
    run.command("documentation", docs.args(built).env("RUSTDOCFLAGS", "-D warnings"));
    run.step("public surface", "cargo xtask api --check", || {
        api::run(workspace, &api::Args { check: true }).map(Count::of)
    });
    run.tests("tests", cargo(run.root, &["test", "--no-fail-fast"]).args(built));
    serving(run, &features);
    page(run, &features);
    smoke(run, workspace);
    run.step("doors", "cargo xtask fuzz", || {
        fuzz::run(workspace, &fuzz::Args::brief(SECONDS_A_DOOR)).map(Count::of)
    });
    run.step("printed programs", "cargo xtask outside", || outside::run(workspace).map(Count::of));
    if run.has_time_for("the reader of manifests") {
        manifests(run);
    }
    if args.web {
        offline(run, workspace, &features);
    }
    if args.gpu {
        type_check(run, workspace, "wgpu");
        type_check(run, workspace, "cuda");
    }
}

/// Lints each library as somebody gets it who depends on it alone: with its default features. The features of
/// third-party crates stay those of every build.
fn lints_alone(run: &mut Run, workspace: &Workspace) {
    let root = run.root;
    let line = "cargo clippy --package LIBRARY --package unified, for each library";
    run.step("lints of each alone", line, || {
        let mut count = Count::default();
        for library in workspace.with_role(Role::Library) {
            let mut clippy = cargo(root, &["clippy", "--lib", "--package", &library.name]);
            clippy.args(["--package", "unified", "--features", "unified/tests"]);
            let found = Count::of(succeeds(clippy.args(["--", "-D", "warnings"]))?);
            count.passed += found.passed;
            count.failed += found.failed;
        }
        Ok(count)
    });
}

/// Lints and tests the reader of C2PA manifests. It stands alone: in the build of all packages, its 200 crates
/// would give those below burn other features. It links no burn, so that nothing large is built again.
fn manifests(run: &mut Run) {
    let built = ["--package", "cifake-provenance", "--features", "c2pa"];
    run.cargo(
        "lints of manifests",
        &["clippy", "--all-targets"],
        &built,
        &["--", "-D", "warnings"],
    );
    run.tests("manifests", cargo(run.root, &["test", "--no-fail-fast"]).args(built));
}

/// Lints and tests the command with `serve`, a feature that newcomers do not build. The program that is then left is
/// the one with all subcommands, whose `--help` the documented commands are compared with.
fn serving(run: &mut Run, features: &str) {
    let features = format!("{features},cifake-cli/serve");
    let built = ["--workspace", "--features", &features];
    run.cargo("lints with serve", &["clippy", "--all-targets"], &built, &["--", "-D", "warnings"]);
    let mut test = cargo(run.root, &["test", "--no-fail-fast", "--test", "serve"]);
    run.tests("tests with serve", test.args(built));
}

/// Tests the page of `cifake serve` in Chromium. All other features stay, so that nothing is built anew.
fn page(run: &mut Run, features: &str) {
    let line = "apt-get install chromium chromium-driver, if one is missing";
    run.step("browser", line, || browser::install().map(Count::of));
    let features = format!("{features},cifake-serve/browser");
    let task = ["test", "--no-fail-fast", "--workspace", "--features", &features];
    run.tests("page in a browser", cargo(run.root, &task).args(["--test", "browser"]));
}

/// Builds the page with the detector inside, and tests it in Chromium. If the toolchain cannot compile for
/// browsers, and Debian has no sources of its standard library, this is skipped and counts for nothing.
fn offline(run: &mut Run, workspace: &Workspace, features: &str) {
    let target = &workspace.target_directory;
    let mut can_compile = false;
    let line = "apt-get download rust-src, if the toolchain has no standard library for browsers";
    run.step("library for browsers", line, || {
        can_compile = web::fetch_standard(target).unwrap_or_else(|error| {
            println!("{error:#}");
            false
        });
        if !can_compile {
            println!("SKIPPED: the page with the detector inside is neither built nor tested");
        }
        Ok(Count { passed: usize::from(can_compile), failed: 0 })
    });
    if !can_compile {
        return;
    }
    let line = "cargo install wasm-bindgen-cli, if it is missing";
    run.step("wasm-bindgen", line, || web::install_bindings(workspace).map(Count::of));
    run.step("page with the detector", "cargo xtask web", || {
        web::run(workspace, &web::Args::usual()).map(Count::of)
    });
    let features = format!("{features},cifake-web/browser");
    let task = ["test", "--no-fail-fast", "--workspace", "--features", &features];
    run.tests("detector in a browser", cargo(run.root, &task).args(["--test", "offline"]));
}

/// Runs every program of the examples on a few pictures of the repository.
///
/// The test step has built them, for the packages' integration tests; `cargo build` would build burn
/// once more, since the features that test dependencies turn on would be missing.
fn smoke(run: &mut Run, workspace: &Workspace) {
    let folder = workspace.programs();
    let binaries: BTreeSet<&str> =
        workspace.with_role(Role::Example).flat_map(|package| package.binaries()).collect();
    for name in binaries {
        let program = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        let mut command = Command::new(program);
        run.command(&format!("{name} --smoke"), command.arg("--smoke").current_dir(run.root));
    }
    run.step("documented commands", "each command against its program's --help", || {
        let (passed, failed) = commands::check(workspace, &folder)?;
        Ok(Count { passed, failed })
    });
}

/// Type-checks the libraries with a GPU feature, without building or running anything on it.
fn type_check(run: &mut Run, workspace: &Workspace, feature: &str) {
    let libraries: Vec<_> =
        workspace.with_role(Role::Library).filter(|p| p.features.contains_key(feature)).collect();
    let mut check = cargo(run.root, &["check"]);
    check.args(libraries.iter().flat_map(|package| ["-p", package.name.as_str()]));
    check.args(["--features", &feature_list(libraries, &[feature])]);
    run.command(&format!("types of {feature}"), check.env("DOCS_RS", "1"));
}

/// Runs `same_numbers_on_every_device` of each library that has it, with `device` built in.
fn device_contract(run: &mut Run, workspace: &Workspace, device: &str) -> Result<()> {
    let mut holders = BTreeSet::new();
    for file in workspace.files()?.iter().filter(|file| file.ends_with(".rs")) {
        let source = std::fs::read_to_string(workspace.root.join(file))
            .with_context(|| format!("read {file}"))?;
        let holder = workspace.with_role(Role::Library).find(|package| {
            file.starts_with(&format!("{}/", workspace.relative(package.folder())))
        });
        holders.extend(holder.filter(|_| source.contains(DEVICE_TEST)).map(|p| p.name.as_str()));
    }
    ensure!(!holders.is_empty(), "no library has a test named {DEVICE_TEST}");
    // Features of packages that no holder imports would be refused.
    let own = workspace.with_role(Role::Library).filter(|p| holders.contains(p.name.as_str()));
    let features = feature_list(own, &["ndarray", device]);
    let mut test = cargo(run.root, &["test", "--features", &features]);
    test.args(holders.iter().flat_map(|holder| ["-p", *holder]));
    test.args([DEVICE_TEST, "--", "--nocapture"]);
    let driver = SOFTWARE_VULKAN.into_iter().find(|path| Path::new(path).exists());
    if let (None, Some(driver)) = (std::env::var_os("VK_ICD_FILENAMES"), driver) {
        test.env("VK_ICD_FILENAMES", driver);
    }
    run.tests(&format!("devices with {device}"), &mut test);
    Ok(())
}

impl Run<'_> {
    /// Whether a heavy part may begin; it says so if not.
    fn has_time_for(&self, part: &str) -> bool {
        let has_time = self.time() < TIME_FOR_HEAVY_PARTS;
        if !has_time {
            println!("\nSKIPPED, since this machine is slow: {part} is neither built nor tested");
        }
        has_time
    }

    /// The time of all steps so far.
    fn time(&self) -> Duration {
        self.rows.iter().map(|row| row.time).sum()
    }

    fn cargo(&mut self, step: &str, task: &[&str], built: &[&str], tail: &[&str]) {
        let mut command = cargo(self.root, task);
        self.command(step, command.args(built).args(tail));
    }

    fn command(&mut self, step: &str, command: &mut Command) {
        let line = shown(command);
        self.step(step, &line, || succeeds(command).map(Count::of));
    }

    /// Runs tests, shows their output and counts their results.
    fn tests(&mut self, step: &str, command: &mut Command) {
        let line = shown(command);
        self.step(step, &line, || {
            let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
            let lines = child.stdout.take().expect("standard output is piped");
            let mut count = Count::default();
            for line in BufReader::new(lines).split(b'\n') {
                let line = String::from_utf8_lossy(&line?).into_owned();
                println!("{line}");
                let found = test_result(&line).unwrap_or_default();
                count.passed += found.passed;
                count.failed += found.failed;
            }
            if !child.wait()?.success() && count.failed == 0 {
                count.failed = 1; // nothing ran: it did not build, or a test ended the process
            }
            Ok(count)
        });
    }

    /// A step that cannot run at all has failed, and the ones after it run all the same.
    fn step(&mut self, step: &str, line: &str, work: impl FnOnce() -> Result<Count>) {
        println!("\n==> {step}: {line}");
        let start = Instant::now();
        let count = work().unwrap_or_else(|error| {
            println!("{error:#}");
            Count::of(false)
        });
        let time = start.elapsed();
        self.rows.push(Row { step: step.to_owned(), time, count, free: free_disk(self.root) });
    }

    /// Prints the table and the closing line; true if nothing failed.
    fn summary(&self) -> bool {
        println!(
            "\n{:<28} {:>9}  {:>6}  {:>6}  {:>7}",
            "step", "seconds", "passed", "failed", "GB free"
        );
        let mut total = Count::default();
        for Row { step, time, count, free } in &self.rows {
            let seconds = time.as_secs_f64();
            let free = free.map_or_else(String::new, |free| format!("{free:.1}"));
            let Count { passed, failed } = count;
            println!("{step:<28} {seconds:>9.1}  {passed:>6}  {failed:>6}  {free:>7}");
            total.passed += count.passed;
            total.failed += count.failed;
        }
        println!("{:<28} {:>9.1}\n", "all", self.time().as_secs_f64());
        println!("{} passed, {} failed", total.passed, total.failed);
        total.failed == 0
    }
}

/// Free space of the disk that holds `path`, in GB, by the `df` of POSIX.
fn free_disk(path: &Path) -> Option<f64> {
    let table = output(Command::new("df").arg("-Pk").arg(path)).ok()?;
    let kibibytes: f64 = table.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kibibytes * 1024.0 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_with_a_failure_does_not_pass() {
        let row = |passed| Row {
            step: "a".to_owned(),
            time: Duration::ZERO,
            count: Count::of(passed),
            free: None,
        };
        assert!(Run { root: Path::new("."), rows: vec![row(true)] }.summary());
        assert!(!Run { root: Path::new("."), rows: vec![row(true), row(false)] }.summary());
    }

    #[test]
    fn a_slow_machine_skips_heavy_parts() {
        let row = |time| Row { step: "a".to_owned(), time, count: Count::of(true), free: None };
        let mut run = Run { root: Path::new("."), rows: vec![row(Duration::from_secs(1))] };
        assert!(run.has_time_for("a part"));
        run.rows.push(row(TIME_FOR_HEAVY_PARTS));
        assert!(!run.has_time_for("a part"));
    }

    #[test]
    fn a_step_that_cannot_run_has_failed_and_does_not_stop_the_next() {
        let mut run = Run { root: Path::new("."), rows: Vec::new() };
        run.command("missing", &mut Command::new("/no/such/program"));
        run.step("next", "", || Ok(Count::of(true)));
        let counts: Vec<Count> = run.rows.iter().map(|row| row.count).collect();
        assert_eq!(counts, [Count::of(false), Count::of(true)]);
    }

    #[test]
    fn a_test_run_that_cannot_start_its_tests_counts_as_failed() {
        let mut run = Run { root: Path::new("."), rows: Vec::new() };
        let mut command = cargo(Path::new("."), &["no-such-subcommand"]);
        run.tests("tests", command.stderr(Stdio::null()));
        assert_eq!(run.rows[0].count, Count { passed: 0, failed: 1 });
    }
}
