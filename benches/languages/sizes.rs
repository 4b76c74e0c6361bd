//! How large a check is as a WASM module and as a shared library, against the signature and the hash alone.
//!
//! All are built with the profile that nexa-verify's documentation recommends and measured as the linker leaves them: no tool runs
//! over them afterwards.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, thread};

use nexa_benches::Result;

const WASM: &str = "wasm32-unknown-unknown";
/// What a whole check may take beyond the floor, in bytes.
const AIM_BYTES: usize = 12 * 1024;

/// What is built: its workspace below the project's folder, what cargo is told, what the file is called there.
struct Build {
    description: &'static str,
    workspace: &'static str,
    options: &'static [&'static str],
    name: &'static str,
    aim: Option<usize>,
}

const FLOOR: Build = Build {
    description: "`verify_strict` and SHA-256 alone",
    workspace: "benches/wasm",
    options: &["--package", "wasm-bare"],
    name: "wasm_bare",
    aim: None,
};
const PLAIN: Build = Build {
    description: "nexa-verify: the plain check",
    workspace: "nexa-verify/ffi",
    options: &["--no-default-features"],
    name: "nexa_verify",
    aim: Some(AIM_BYTES),
};
const WHOLE: Build = Build {
    description: "nexa-verify: the whole client",
    workspace: "nexa-verify/ffi",
    options: &[],
    name: "nexa_verify",
    aim: None,
};
const JSONWEBTOKEN: Build = Build {
    description: "jsonwebtoken (rust_crypto): signature and registered claims",
    workspace: "benches/wasm",
    options: &["--package", "wasm-jsonwebtoken"],
    name: "wasm_jsonwebtoken",
    aim: None,
};

/// Prints both tables.
pub(crate) fn print() -> Result<()> {
    println!("### WASM modules\n");
    table(&[FLOOR, PLAIN, WHOLE, JSONWEBTOKEN], Some(WASM))?;
    println!("### Shared libraries, {}\n", env::consts::ARCH);
    table(&[FLOOR, PLAIN, WHOLE], None)
}

fn table(builds: &[Build], target: Option<&str>) -> Result<()> {
    println!("| what | bytes | gzip -9 | bytes over the floor | ratio | aim |");
    println!("|---|---:|---:|---:|---:|---|");
    let mut floor = None;
    for build in builds {
        let file = fs::read(build.make(target)?)?;
        let bytes = file.len();
        let floor = *floor.get_or_insert(bytes);
        let over = bytes.saturating_sub(floor);
        let aim = match build.aim {
            Some(aim) if over <= aim => format!("≤ +{aim}: met"),
            Some(aim) => format!("≤ +{aim}: **missed**"),
            None => "–".to_owned(),
        };
        let (gzip, ratio) = (gzip_len(file)?, bytes as f64 / floor as f64);
        let what = build.description;
        println!("| {what} | {bytes} | {gzip} | +{over} | **{ratio:.2}** | {aim} |");
    }
    println!();
    Ok(())
}

impl Build {
    /// Builds it and says where it is. The folder is shared between runs, apart from the workspace's.
    fn make(&self, target: Option<&str>) -> Result<PathBuf> {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let folder = env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| project.join("target"), PathBuf::from)
            .join("sizes");
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["build", "--quiet", "--release"])
            .args(self.options)
            .env("CARGO_TARGET_DIR", &folder)
            .current_dir(project.join(self.workspace));
        if let Some(target) = target {
            cargo.args(["--target", target]);
        }
        if !cargo.status()?.success() {
            return Err(format!("{} does not build: rustup target add {WASM}?", self.name).into());
        }
        Ok(match target {
            Some(target) => folder
                .join(target)
                .join("release")
                .join(format!("{}.wasm", self.name)),
            None => folder.join("release").join(format!(
                "{}{}{}",
                env::consts::DLL_PREFIX,
                self.name,
                env::consts::DLL_SUFFIX
            )),
        })
    }
}

/// The length of `bytes` compressed as a web server would send them.
fn gzip_len(bytes: Vec<u8>) -> Result<usize> {
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
