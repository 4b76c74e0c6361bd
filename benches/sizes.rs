//! How large one whole licence check is as a WASM module, against the signature and the hash alone.
//!
//! The modules are in `wasm/`, built with the profile that nexa-verify's documentation recommends and
//! measured as the linker leaves them: no tool runs over them afterwards.
use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, thread};

use nexa_benches::is_bench_run;

const TARGET: &str = "wasm32-unknown-unknown";
/// What a whole check may take beyond the floor, in bytes.
const AIM_BYTES: usize = 12 * 1024;

/// Package and description; the first is the floor, the second what the aim is for.
const MODULES: [(&str, &str); 3] = [
    ("bare", "`verify_strict` and SHA-256 alone"),
    ("license", "nexa-verify: one whole licence check"),
    (
        "jsonwebtoken",
        "jsonwebtoken (rust_crypto): signature and registered claims",
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    if !is_bench_run() {
        return Ok(());
    }
    let mut sizes = Vec::new();
    for (package, description) in MODULES {
        let module = fs::read(build(package)?)?;
        sizes.push((description, module.len(), gzip_len(module)?));
    }
    println!(
        "### WASM modules\n\n| module | bytes | gzip -9 | bytes over the floor | ratio | aim |"
    );
    println!("|---|---:|---:|---:|---:|---|");
    let floor = sizes.first().map_or(0, |(_, bytes, _)| *bytes);
    for (index, (description, bytes, gzip)) in sizes.into_iter().enumerate() {
        let over = bytes.saturating_sub(floor);
        let aim = match index {
            1 if over <= AIM_BYTES => format!("≤ +{AIM_BYTES}: met"),
            1 => format!("≤ +{AIM_BYTES}: **missed**"),
            _ => "–".to_owned(),
        };
        let ratio = bytes as f64 / floor as f64;
        println!("| {description} | {bytes} | {gzip} | +{over} | **{ratio:.2}** | {aim} |");
    }
    println!();
    Ok(())
}

/// Builds one module and says where it is. The folder is shared between runs, apart from the workspace's.
fn build(package: &str) -> Result<PathBuf, Box<dyn Error>> {
    let benches = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| benches.join("../target"), PathBuf::from)
        .join("wasm-sizes");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release"])
        .args(["--target", TARGET, "--package"])
        .arg(format!("wasm-{package}"))
        .env("CARGO_TARGET_DIR", &target)
        .current_dir(benches.join("wasm"))
        .status()?;
    if !status.success() {
        return Err(format!("wasm-{package} does not build: rustup target add {TARGET}?").into());
    }
    Ok(target
        .join(TARGET)
        .join("release")
        .join(format!("wasm_{package}.wasm")))
}

/// The length of `bytes` compressed as a web server would send them.
fn gzip_len(bytes: Vec<u8>) -> Result<usize, Box<dyn Error>> {
    let mut gzip = Command::new("gzip")
        .args(["--best", "--no-name", "--stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = gzip.stdin.take().ok_or("gzip has a standard input")?;
    let writer = thread::spawn(move || input.write_all(&bytes));
    let output = gzip.wait_with_output()?;
    writer.join().map_err(|_| "the writer ended early")??;
    Ok(output.stdout.len())
}
