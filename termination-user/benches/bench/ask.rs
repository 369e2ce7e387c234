//! Who is in TIME_WAIT: the answer of `termination time-wait` beside those of
//! `ss` and `conntrack`, over the same real connections; and of a million.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    rc::Rc,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use termination_lab::{Namespace, Pair, signal, try_wait_for};
use termination_user::control::{
    RunOptions,
    answers::serve::{Listener, serve},
};

use crate::{
    expiry::{Scratch, with_controller},
    harness::{Programs, Result, progress, spread_json, with_spread},
    scan::milliseconds,
    segments::whole,
};

const TERMINATION: &str = env!("CARGO_BIN_EXE_termination");
const PATIENCE: Duration = Duration::from_secs(30);
/// A million, as a power of two.
const SHIFT: u32 = 20;

/// A question, and how long each answer took.
struct Question {
    name: &'static str,
    command: Vec<String>,
    lines: u64,
    wall: Vec<f64>,
    cpu: Vec<f64>,
}

impl Question {
    fn new(name: &'static str, command: &[&str]) -> Self {
        Self {
            name,
            command: command.iter().map(|&word| word.to_owned()).collect(),
            lines: 0,
            wall: Vec::new(),
            cpu: Vec::new(),
        }
    }

    /// Asks once. `also` is processor time of who else works on the answer.
    fn ask(&mut self, also: impl Fn() -> Result<Duration>) -> Result<()> {
        let [program, arguments @ ..] = &self.command[..] else {
            return Err("no command".into());
        };
        let (before, theirs, started) = (children()?, also()?, Instant::now());
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start {program}: {error}"))?;
        let mut lines = 0;
        if let Some(output) = child.stdout.take() {
            let mut output = BufReader::with_capacity(1 << 18, output);
            loop {
                let bytes = output.fill_buf()?;
                if bytes.is_empty() {
                    break;
                }
                lines += bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
                let length = bytes.len();
                output.consume(length);
            }
        }
        if !child.wait()?.success() {
            return Err(format!("`{}` failed", self.command.join(" ")).into());
        }
        self.wall.push(milliseconds(started.elapsed()));
        let cpu = children()?.saturating_sub(before) + also()?.saturating_sub(theirs);
        self.cpu.push(milliseconds(cpu));
        self.lines = lines;
        Ok(())
    }

    fn print(&self) {
        println!(
            "{:<34} {:>10} {:>16} {:>16}",
            self.name,
            self.lines,
            with_spread(&self.wall, 0),
            with_spread(&self.cpu, 0),
        );
    }

    fn to_json(&self) -> Value {
        json!({
            "question": self.name,
            "lines": self.lines,
            "milliseconds": spread_json(&self.wall),
            "cpu_milliseconds": spread_json(&self.cpu),
        })
    }
}

/// Measures and prints.
pub(crate) fn run(quick: bool) -> Result<Value> {
    let (connections, rounds) = if quick { (20_000, 3) } else { (200_000, 5) };
    Ok(json!({
        "real": real(connections, rounds)?,
        "million": million(rounds)?,
    }))
}

fn head(what: &str) {
    println!("{what}");
    println!("who is in TIME_WAIT: ms until the answer is there, and of processor time\n");
    println!("{:<34} {:>10} {:>16} {:>16}", "", "lines", "ms", "CPU ms");
}

/// Over real connections, which the kernel and conntrack know, too.
fn real(connections: u32, rounds: u32) -> Result<Value> {
    progress(&format!("{connections} real connections"));
    let pair = Pair::new()?;
    let namespace = &pair.server.namespace;
    for end in [&pair.client, &pair.server] {
        end.namespace
            .set_sysctl("net.ipv4.ip_local_port_range", "1024 65535")?;
        end.namespace
            .set_sysctl("net.ipv4.tcp_max_tw_buckets", 2 * connections)?;
    }
    let tracked = track(namespace);
    let directory = Scratch::new()?;
    let socket = directory.0.join("control.sock");
    let observer = Observer::start(&pair, &socket, 4 * connections)?;
    connect_all(&pair, connections)?;

    let path = socket.to_str().ok_or("a path that is no text")?;
    let mut questions = vec![
        Question::new(
            "termination time-wait --json",
            &[TERMINATION, "time-wait", "--json", "--socket", path],
        ),
        Question::new(
            "termination time-wait --each --json",
            &[
                TERMINATION,
                "time-wait",
                "--each",
                "--json",
                "--socket",
                path,
            ],
        ),
    ];
    for (name, command, usable) in [
        (
            "ss -Htan state time-wait",
            &["ss", "-Htan", "state", "time-wait"][..],
            Ok(()),
        ),
        (
            "conntrack -L -p tcp",
            &["conntrack", "-L", "-p", "tcp"],
            tracked,
        ),
    ] {
        match usable.and_then(|()| is_there(command[0])) {
            Ok(()) => questions.push(Question::new(name, command)),
            Err(error) => println!("left out: {name}: {error}"),
        }
    }
    for _ in 0..rounds {
        for question in &mut questions {
            let ask = || {
                question
                    .ask(|| observer.cpu())
                    .map_err(|error| error.to_string())
            };
            namespace.enter(ask)??;
        }
    }
    head(&format!(
        "{connections} real connections, closed by the server"
    ));
    questions.iter().for_each(Question::print);
    println!();
    Ok(questions.iter().map(Question::to_json).collect())
}

fn is_there(program: &str) -> std::result::Result<(), String> {
    let asked = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output();
    asked
        .map(drop)
        .map_err(|error| format!("cannot start {program}: {error}"))
}

/// Has the kernel track connections in a namespace: it does where a rule asks.
fn track(namespace: &Namespace) -> std::result::Result<(), String> {
    const RULES: &str = "add table inet bench; \
        add chain inet bench seen { type filter hook prerouting priority 0; }; \
        add rule inet bench seen ct state new accept";
    let nft = || Command::new("nft").arg(RULES).stdin(Stdio::null()).output();
    let output = namespace.enter(nft).map_err(|error| error.to_string())?;
    let output = output.map_err(|error| format!("cannot start nft (package nftables): {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "the kernel does not track connections: {}",
            said.trim()
        ));
    }
    Ok(())
}

/// Opens so many connections, which the server closes at once.
fn connect_all(pair: &Pair, connections: u32) -> Result<()> {
    const PORTS: u32 = 8;
    let mut services = Vec::new();
    for _ in 0..PORTS {
        let address = SocketAddr::new(IpAddr::V4(pair.server.v4), pair.next_port()?);
        let listener = pair
            .server
            .namespace
            .enter(|| TcpListener::bind(address))??;
        services.push((listener, address));
    }
    let stop = &AtomicBool::new(false);
    let outcome = thread::scope(|scope| {
        for (listener, _) in &services {
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    drop(listener.accept());
                }
            });
        }
        let connect = || -> io::Result<()> {
            for number in 0..connections {
                let (_, address) = &services[(number % PORTS) as usize];
                let mut stream = TcpStream::connect(address)?;
                // Until the server has closed.
                stream.read_to_end(&mut Vec::new())?;
            }
            Ok(())
        };
        let outcome = pair.client.namespace.enter(connect);
        stop.store(true, Ordering::Relaxed);
        // One more each, so that everyone sees it.
        let _ = pair.client.namespace.enter(|| {
            for (_, address) in &services {
                drop(TcpStream::connect(address));
            }
        });
        outcome
    });
    Ok(outcome??)
}

/// `termination run` on the server's interface.
struct Observer(Child);

impl Observer {
    fn start(pair: &Pair, socket: &Path, connections: u32) -> Result<Self> {
        let mut command = Command::new(TERMINATION);
        command
            .args(["run", "--quiet", "-i", &pair.server.interface])
            .args(["--netns", pair.server.namespace.name()])
            .args(["--connections", &connections.to_string()])
            .arg("--socket")
            .arg(socket)
            .stdin(Stdio::null());
        signal::tie(&mut command);
        let observer = Self(command.spawn()?);
        try_wait_for("`termination run` to answer", PATIENCE, || {
            let mut question = Command::new(TERMINATION);
            question.args(["stats", "--json", "--socket"]).arg(socket);
            let answer = question
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            answer.is_ok_and(|status| status.success()).then_some(())
        })?;
        Ok(observer)
    }

    /// Processor time so far.
    fn cpu(&self) -> Result<Duration> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        // User and system time are the 14th and 15th field; the second may hold
        // spaces and ends with the last parenthesis.
        let (_, rest) = text.rsplit_once(')').ok_or("no name in /proc/PID/stat")?;
        let ticks: u64 = rest
            .split_whitespace()
            .skip(11)
            .take(2)
            .flat_map(str::parse::<u64>)
            .sum();
        // SAFETY: a plain question.
        let hertz = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
        Ok(Duration::from_secs_f64(ticks as f64 / hertz as f64))
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        signal::send(&self.0, libc::SIGINT);
        let ended = try_wait_for("`termination run` to end", PATIENCE, || {
            self.0.try_wait().transpose()
        });
        if ended.is_err() {
            // Detaching took too long; the kernel detaches what a dead process had.
            let _ = self.0.kill().and_then(|()| self.0.wait());
        }
    }
}

/// Over a million, of which the kernel has no sockets.
fn million(rounds: u32) -> Result<Value> {
    progress("questions about a million TIME_WAITs");
    let mut programs = Programs::load(2 << SHIFT, RunOptions::RING_BYTES, &["full"])?;
    programs.fill(&whole(), SHIFT)?;
    let directory = Scratch::new()?;
    let socket = directory.0.join("control.sock");
    let path = socket.to_str().ok_or("a path that is no text")?.to_owned();
    let questions = with_controller(programs.loaded, "none".as_ref(), async |controller| {
        let listener = Listener::bind(&socket)?;
        let controller = Rc::clone(controller);
        tokio::task::spawn_local(async move {
            while let Ok(stream) = listener.accept().await {
                tokio::task::spawn_local(serve(Rc::clone(&controller), stream));
            }
        });
        let asking = tokio::task::spawn_blocking(move || {
            let mut questions = [
                Question::new(
                    "termination time-wait --json",
                    &[TERMINATION, "time-wait", "--json", "--socket", &path],
                ),
                Question::new(
                    "termination time-wait --each --json",
                    &[
                        TERMINATION,
                        "time-wait",
                        "--each",
                        "--json",
                        "--socket",
                        &path,
                    ],
                ),
            ];
            for _ in 0..rounds {
                for question in &mut questions {
                    // Who answers is this process.
                    question.ask(myself).map_err(|error| error.to_string())?;
                }
            }
            Ok::<_, String>(questions)
        });
        Ok(asking.await??)
    })?;
    head("1,048,576 connections");
    questions.iter().for_each(Question::print);
    println!();
    Ok(questions.iter().map(Question::to_json).collect())
}

/// Processor time of the children that were waited for.
fn children() -> Result<Duration> {
    usage(libc::RUSAGE_CHILDREN)
}

/// Processor time of this process.
fn myself() -> Result<Duration> {
    usage(libc::RUSAGE_SELF)
}

fn usage(whose: libc::c_int) -> Result<Duration> {
    // SAFETY: all zeroes are a value of this plain struct.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live variable of the type asked for.
    if unsafe { libc::getrusage(whose, &raw mut usage) } != 0 {
        return Err(io::Error::last_os_error().into());
    }
    let time = |time: libc::timeval| {
        Duration::new(
            time.tv_sec.unsigned_abs(),
            time.tv_usec.unsigned_abs() as u32 * 1000,
        )
    };
    Ok(time(usage.ru_utime) + time(usage.ru_stime))
}
