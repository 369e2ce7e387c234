//! `cargo xtask kernels`: the programs on kernels that are not this machine's.
//!
//! Debian's kernels, each booted in an emulator, so that this works in a virtual
//! machine as well, with nothing but busybox, iproute2, the scenarios' test and
//! the program itself. Every verifier is another one: that it takes the programs
//! here says little about there.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde_json::Value;

use crate::{
    apt::Apt,
    command::{self, cargo},
    privileges, setup,
    toolchain::program,
};

/// Which, oldest first: as Debian 12 has them.
const KERNELS: [&str; 2] = ["6.1", "6.12"];

/// Programs and the packages that have them.
const TOOLS: [(&str, &str); 4] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("busybox", "busybox-static"),
    ("cpio", "cpio"),
    ("xz", "xz-utils"),
];

/// Modules that the script needs; none of them needs another.
const MODULES: [&str; 3] = ["veth", "sch_ingress", "cls_bpf"];

/// An emulated processor is fifty times as slow.
const PATIENCE_SECONDS: &str = "3000";

/// What runs there as the first process.
const INIT: &str = include_str!("kernels/init.sh");

#[derive(Args)]
pub(crate) struct Options {
    /// Only these, such as 6.1
    #[arg(value_name = "VERSION")]
    only: Vec<String>,
}

/// Boots each kernel and checks what the script printed there.
///
/// # Errors
///
/// When a kernel or a tool cannot be had, and when a check fails on one.
pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(
        cfg!(target_arch = "x86_64") && Apt::available(),
        "this takes Debian's kernels for x86-64, so it needs apt-get and such a processor"
    );
    privileges::require("kernels")?;
    setup::run()?;
    install()?;
    let binaries = build()?;
    let mut failed = 0;
    for version in KERNELS {
        if !options.only.is_empty() && !options.only.iter().any(|only| only == version) {
            continue;
        }
        let start = Instant::now();
        let verdict = match try_on(version, &binaries) {
            Ok(words) => words,
            Err(error) => {
                failed += 1;
                format!("FAILED: {error:#}")
            }
        };
        println!(
            "{version:<5} {:5.0} s  {verdict}",
            start.elapsed().as_secs_f64()
        );
    }
    if failed > 0 {
        bail!("{failed} kernels failed");
    }
    Ok(())
}

fn install() -> Result<()> {
    let missing = TOOLS.iter().filter(|(name, _)| program(name).is_none());
    let packages: Vec<_> = missing.map(|&(_, package)| package).collect();
    if packages.is_empty() {
        return Ok(());
    }
    println!("installing {}: to boot other kernels", packages.join(", "));
    Apt::default().install(&packages)
}

/// The test of the scenarios and the program.
fn build() -> Result<[PathBuf; 2]> {
    let mut command = cargo();
    command.args(["test", "--no-run", "--package", "termination-user"]);
    command.args(["--test", "scenarios", "--bin", "termination"]);
    command.arg("--message-format=json-render-diagnostics");
    let output = command.stderr(Stdio::inherit()).output()?;
    ensure!(
        output.status.success(),
        "the tests cannot be built; see above"
    );
    let mut paths = BTreeMap::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let message: Value = serde_json::from_str(line)?;
        let test = message["profile"]["test"] == Value::Bool(true);
        if let (Some(name), Some(path)) = (
            message["target"]["name"].as_str(),
            message["executable"].as_str(),
        ) {
            // The program has tests of its own, in another binary.
            paths.insert((name.to_owned(), test), PathBuf::from(path));
        }
    }
    let mut path = |name: &str, test| {
        paths
            .remove(&(name.to_owned(), test))
            .with_context(|| format!("cargo built no {name}"))
    };
    Ok([path("scenarios", true)?, path("termination", false)?])
}

/// What was seen on a kernel, in a few words.
fn try_on(version: &str, binaries: &[PathBuf]) -> Result<String> {
    let package = newest(version)?;
    let place = PathBuf::from("target/kernels").join(version);
    let kernel = unpack(&package, &place)?;
    let initrd = pack(&kernel, &place, binaries)?;
    let release = kernel.file_name().unwrap_or_default().display().to_string();
    let log = place.join("console.log");
    println!(
        "{version}: booting {release}, some minutes; console in {}",
        log.display()
    );
    let image = place.join(format!("root/boot/vmlinuz-{release}"));
    let mut emulator = Command::new("timeout");
    emulator
        .args([PATIENCE_SECONDS, "qemu-system-x86_64", "-accel", "tcg"])
        .args(["-cpu", "max", "-m", "2048", "-nographic", "-no-reboot"])
        .arg("-kernel")
        .arg(&image)
        .arg("-initrd")
        .arg(&initrd)
        .args(["-append", "console=ttyS0 quiet panic=-1"])
        .stdin(Stdio::null())
        .stdout(fs::File::create(&log)?);
    let status = emulator.status().context("cannot start qemu")?;
    let console = fs::read(&log)?;
    let said = judge(&String::from_utf8_lossy(&console));
    // What was said tells more than how the emulator ended.
    let said = said.with_context(|| format!("see {}", log.display()))?;
    ensure!(status.success(), "qemu: {status}; see {}", log.display());
    Ok(said)
}

/// The newest of Debian's packages with a kernel of this version.
fn newest(version: &str) -> Result<String> {
    let prefix = format!("linux-image-{version}.");
    let names = command::output(Command::new("apt-cache").args(["pkgnames", &prefix]));
    let names = names.unwrap_or_default();
    let candidates = names
        .lines()
        .filter(|name| name.ends_with("-cloud-amd64") && !name.contains("unsigned"));
    let newest = candidates.max_by_key(|name| numbers(name));
    newest.map(str::to_owned).with_context(|| {
        format!("no repository of this system offers {prefix}*-cloud-amd64 (Debian 12 does)")
    })
}

/// The numbers in a name, by which it is older or newer than another.
fn numbers(name: &str) -> Vec<u32> {
    name.split(|letter: char| !letter.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}

/// Downloads and unpacks it. Returns the directory of its modules, which is
/// called as the kernel is.
fn unpack(package: &str, place: &Path) -> Result<PathBuf> {
    let root = place.join("root");
    let modules = root.join("lib/modules");
    let found = |modules: &Path| {
        let mut entries = fs::read_dir(modules).ok()?;
        entries.find_map(|entry| Some(entry.ok()?.path()))
    };
    let release = package.trim_start_matches("linux-image-");
    if !modules.join(release).is_dir() {
        let _ = fs::remove_dir_all(place);
        fs::create_dir_all(place)?;
        command::announce(
            Command::new("apt-get")
                .args(["download", "-o", "APT::Sandbox::User=root", package])
                .current_dir(place),
        )?;
        let archive = fs::read_dir(place)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|kind| kind == "deb"))
            .with_context(|| format!("apt-get download {package} left nothing"))?;
        command::run(Command::new("dpkg-deb").arg("-x").arg(&archive).arg(&root))?;
        fs::remove_file(archive)?;
    }
    found(&modules).with_context(|| format!("{package} has no modules"))
}

/// Makes what the kernel starts with.
fn pack(modules: &Path, place: &Path, binaries: &[PathBuf]) -> Result<PathBuf> {
    let root = place.join("initrd");
    let _ = fs::remove_dir_all(&root);
    for directory in ["bin", "dev", "etc", "proc", "run", "sys", "tmp", "modules"] {
        fs::create_dir_all(root.join(directory))?;
    }
    for name in MODULES {
        let list = command::output(
            Command::new("find")
                .arg(modules)
                .args(["-name", &format!("{name}.ko*")]),
        );
        let list = list.unwrap_or_default();
        let from = list
            .lines()
            .next()
            .with_context(|| format!("no module {name}"))?;
        let to = root
            .join("modules")
            .join(Path::new(from).file_name().unwrap_or_default());
        fs::copy(from, &to)?;
        if from.ends_with(".xz") {
            command::run(Command::new("xz").arg("--decompress").arg(&to))?;
        }
    }
    let mut programs: Vec<_> = ["busybox", "ip", "tc"]
        .into_iter()
        .filter_map(program)
        .collect();
    programs.extend_from_slice(binaries);
    for path in &programs {
        let name = path.file_stem().unwrap_or_default().display().to_string();
        // The test's name has a hash behind.
        let name = name.split('-').next().unwrap_or(&name);
        let to = root.join("bin").join(name);
        fs::copy(path, &to).with_context(|| format!("cannot copy {}", path.display()))?;
        for library in libraries(path) {
            let to = root.join(library.strip_prefix("/").unwrap_or(&library));
            fs::create_dir_all(to.parent().unwrap_or(&root))?;
            fs::copy(&library, &to)?;
        }
    }
    for path in ["bin/scenarios", "bin/termination"] {
        // Without it they would not fit into the machine's memory.
        command::run(Command::new("strip").arg(root.join(path)))?;
    }
    let init = root.join("init");
    fs::write(&init, INIT)?;
    command::run(Command::new("chmod").arg("755").arg(&init))?;
    command::run(
        Command::new("sh")
            .args([
                "-c",
                "find . | cpio --quiet -o -H newc | gzip -1 >../initrd.gz",
            ])
            .current_dir(&root),
    )?;
    Ok(place.join("initrd.gz"))
}

/// What a program is linked with.
fn libraries(path: &Path) -> Vec<PathBuf> {
    let list = command::output(Command::new("ldd").arg(path)).unwrap_or_default();
    list.split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .collect()
}

/// Whether the console says what it should.
fn judge(console: &str) -> Result<String> {
    let lines: Vec<_> = console.lines().map(str::trim_end).collect();
    let value = |name: &str| lines.iter().find_map(|line| line.strip_prefix(name));
    let mut verified = String::new();
    for line in &lines {
        if let Some((name, rest)) = line.split_once(": ")
            && let Some((count, _)) = rest.split_once(" instructions verified")
        {
            // The test's own name may be before it.
            let name = name.rsplit("... ").next().unwrap_or(name);
            verified.push_str(&format!(", {name} {count}"));
        }
    }
    match value("scenarios: ") {
        Some("0") => {}
        Some(_) => bail!("the scenarios differ there"),
        None => bail!("the scenarios came to no end"),
    }
    match value("run: ") {
        Some("0") => {}
        Some(status) => bail!("`termination run` ended with {status}"),
        None => bail!("`termination run` came to no end"),
    }
    let mut endings = BTreeMap::<String, u32>::new();
    for line in lines
        .iter()
        .filter_map(|line| line.strip_prefix("ending: "))
    {
        let report: Value = serde_json::from_str(line).context("no JSON")?;
        if report["type"] == "ending" {
            let word = match report["ending"].as_str() {
                // Whether the FINs cross is chance.
                Some("graceful_simultaneous") => "graceful",
                word => word.unwrap_or_default(),
            };
            *endings.entry(word.to_owned()).or_default() += 1;
        }
    }
    // Three downloads and a port where nobody listens.
    let expected = BTreeMap::from([("graceful".to_owned(), 3), ("refused".to_owned(), 1)]);
    ensure!(endings == expected, "{endings:?} instead of {expected:?}");
    Ok(format!(
        "all scenarios, and four real endings told{verified}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_has_the_highest_numbers() {
        assert!(
            numbers("linux-image-6.1.0-9-cloud-amd64")
                < numbers("linux-image-6.1.0-56-cloud-amd64")
        );
        assert!(
            numbers("linux-image-6.12.99+deb12-cloud-amd64")
                < numbers("linux-image-6.12.117+deb12-cloud-amd64")
        );
    }

    #[test]
    fn a_console_is_believed_only_if_it_says_all_of_it() {
        let told = |ending| format!(r#"ending: {{"type":"ending","ending":"{ending}"}}"#);
        let endings = ["graceful", "graceful_simultaneous", "graceful", "refused"].map(told);
        let console = |scenarios: &str, endings: &[String]| {
            format!("{scenarios}\r\n{}\r\nrun: 0\r\n", endings.join("\r\n"))
        };
        let good = console(
            "ingress_xdp: 12 instructions verified\nscenarios: 0",
            &endings,
        );
        assert!(judge(&good).unwrap().ends_with(", ingress_xdp 12"));
        assert!(judge(&console("scenarios: 101", &endings)).is_err());
        assert!(judge(&console("", &endings)).is_err());
        assert!(judge(&console("scenarios: 0", &endings[..3])).is_err());
        assert!(judge(&good.replace("run: 0", "run: 1")).is_err());
    }
}
