//! Who watches the server: started, stopped, and its words counted.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use termination_lab::{End, Namespace, Pair, signal, try_wait_for};

use super::{
    super::{DIRECTORY, kernel::Programs},
    web::inside,
};

/// How long one may take to start, and to stop.
const PATIENCE: Duration = Duration::from_secs(30);
const SIGINT: i32 = 2;

/// An observer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Programs that do nothing, at the hooks that `termination` takes on a veth.
    Empty,
    /// The same, incoming packets by native XDP.
    EmptyXdp,
    /// Programs that keep each segment in a table as ours, and ask nothing of it;
    /// endings are read and thrown away.
    Floor,
    /// The same by native XDP.
    FloorXdp,
    /// `termination run`, and every ending as JSON into a file.
    Termination,
    /// The same by native XDP.
    Xdp,
    /// The same at the level `closing`.
    Closing,
    /// libbpf-tools' tcplife: one line a connection.
    Tcplife,
    /// libbpf-tools' tcpstates: one line a change of state.
    Tcpstates,
    /// conntrack's events.
    Conntrack,
    /// FIN and RST into a capture.
    Tcpdump,
}

impl Kind {
    pub(super) const ALL: [Self; 11] = [
        Self::Empty,
        Self::EmptyXdp,
        Self::Floor,
        Self::FloorXdp,
        Self::Termination,
        Self::Xdp,
        Self::Closing,
        Self::Tcplife,
        Self::Tcpstates,
        Self::Conntrack,
        Self::Tcpdump,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::EmptyXdp => "empty-xdp",
            Self::Floor => "floor",
            Self::FloorXdp => "floor-xdp",
            Self::Termination => "termination",
            Self::Xdp => "xdp",
            Self::Closing => "closing",
            Self::Tcplife => "tcplife",
            Self::Tcpstates => "tcpstates",
            Self::Conntrack => "conntrack",
            Self::Tcpdump => "tcpdump",
        }
    }

    /// It tells nothing: the hooks alone, or the least that a table takes.
    const fn is_silent(self) -> bool {
        matches!(
            self,
            Self::Empty | Self::EmptyXdp | Self::Floor | Self::FloorXdp
        )
    }

    /// `termination`.
    const fn is_ours(self) -> bool {
        matches!(self, Self::Termination | Self::Xdp | Self::Closing)
    }

    /// What `termination run` is asked for, beyond its defaults.
    const fn options(self) -> &'static [&'static str] {
        match self {
            Self::Xdp => &["--mode", "native"],
            Self::Closing => &["--level", "closing"],
            _ => &[],
        }
    }
}

/// One that runs.
pub(super) struct Observer<'a> {
    kind: Kind,
    namespace: &'a Namespace,
    /// In the order in which they are stopped.
    children: Vec<Child>,
    /// Its end stops what attaches programs that do nothing.
    hold: Option<ChildStdin>,
    output: PathBuf,
    socket: PathBuf,
}

impl<'a> Observer<'a> {
    /// Starts it, and waits until it observes.
    pub(super) fn start(
        kind: Kind,
        pair: &'a Pair,
        port: u16,
        programs: &Programs,
    ) -> Result<Self> {
        let directory = std::path::absolute(DIRECTORY)?;
        let mut observer = Self {
            kind,
            namespace: &pair.server.namespace,
            children: Vec::new(),
            hold: None,
            output: directory.join(format!("{}.out", kind.name())),
            socket: directory.join("control.sock"),
        };
        match kind {
            Kind::Empty | Kind::EmptyXdp | Kind::Floor | Kind::FloorXdp => {
                observer.hold(&pair.server, &programs.bench)?;
            }
            Kind::Termination | Kind::Xdp | Kind::Closing => {
                observer.termination(&pair.server, &programs.termination)?;
            }
            Kind::Tcplife | Kind::Tcpstates => observer.tool(port)?,
            Kind::Conntrack => observer.conntrack()?,
            Kind::Tcpdump => observer.tcpdump(&pair.server)?,
        }
        Ok(observer)
    }

    /// Starts a command in the server's namespace, with its output in the file.
    fn spawn(&mut self, command: &mut Command) -> Result<()> {
        let output = File::create(&self.output)
            .with_context(|| format!("cannot write {}", self.output.display()))?;
        command.stdin(Stdio::null()).stdout(output);
        signal::tie(command);
        self.children.push(
            command
                .spawn()
                .context("cannot start nsenter (package util-linux)")?,
        );
        Ok(())
    }

    fn hold(&mut self, end: &End, bench: &Path) -> Result<()> {
        let mut command = inside(self.namespace, bench);
        command.args(["hold", &end.interface]);
        if matches!(self.kind, Kind::EmptyXdp | Kind::FloorXdp) {
            command.arg("--xdp");
        }
        if matches!(self.kind, Kind::Floor | Kind::FloorXdp) {
            command.arg("--floor");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        signal::tie(&mut command);
        let mut child = command.spawn().context("cannot start nsenter")?;
        self.hold = child.stdin.take();
        let mut said = String::new();
        if let Some(output) = &mut child.stdout {
            BufReader::new(output).read_line(&mut said)?;
        }
        self.children.push(child);
        if said.trim() != "ready" {
            bail!("programs to compare with could not be attached");
        }
        Ok(())
    }

    fn termination(&mut self, end: &End, program: &Path) -> Result<()> {
        let mut run = inside(self.namespace, program);
        run.args(["run", "--quiet", "-i", &end.interface, "--socket"])
            .arg(&self.socket);
        run.args(self.kind.options());
        self.spawn(&mut run)?;
        self.answers(program)?;
        let mut events = inside(self.namespace, program);
        events
            .args(["events", "--follow", "--json", "--socket"])
            .arg(&self.socket);
        self.spawn(&mut events)?;
        // Whoever is answered after it, comes after it.
        self.answers(program)
    }

    fn answers(&mut self, program: &Path) -> Result<()> {
        try_wait_for("`termination run` to answer", PATIENCE, || {
            let mut question = Command::new(program);
            question.args(["stats", "--json", "--socket"]);
            question.arg(&self.socket).stdin(Stdio::null());
            question.stdout(Stdio::null()).stderr(Stdio::null());
            let answered = question.status().is_ok_and(|status| status.success());
            if let Some(gone) = self.gone() {
                return Some(Err(gone));
            }
            answered.then_some(Ok(()))
        })?
    }

    /// An error if a process has ended already.
    fn gone(&mut self) -> Option<anyhow::Error> {
        self.children.iter_mut().find_map(|child| {
            let status = child.try_wait().ok()??;
            Some(anyhow::anyhow!("it has stopped: {status}"))
        })
    }

    /// tcplife and tcpstates ask a tracepoint of the kernel, by way of tracefs,
    /// which is mounted for them alone.
    fn tool(&mut self, port: u16) -> Result<()> {
        let name = self.kind.name();
        let script =
            format!("mount -t tracefs tracefs /sys/kernel/tracing && exec {name} -T -L {port}");
        let mut command = inside(self.namespace, "unshare");
        command.args(["--mount", "sh", "-c", &script]);
        let errors = File::create(self.output.with_extension("err"))?;
        command.stderr(errors);
        self.spawn(&mut command)?;
        // It says its heading when it is attached, into a buffer: its programs
        // show it sooner.
        let id = self.children.last().map_or(0, Child::id);
        try_wait_for("the tool to attach", PATIENCE, || {
            if let Some(gone) = self.gone() {
                let said = fs::read_to_string(self.output.with_extension("err"));
                return Some(Err(gone.context(said.unwrap_or_default())));
            }
            let links = fs::read_dir(format!("/proc/{id}/fd")).ok()?;
            let attached = links
                .flatten()
                .filter_map(|link| fs::read_link(link.path()).ok())
                .any(|target| target.to_string_lossy().contains("perf_event"));
            attached.then_some(Ok(()))
        })?
    }

    fn conntrack(&mut self) -> Result<()> {
        const RULES: &str = "add table inet bench; \
            add chain inet bench seen { type filter hook prerouting priority 0; }; \
            add rule inet bench seen ct state new accept";
        self.nft(RULES)?;
        let mut command = inside(self.namespace, "conntrack");
        command.args([
            "-E",
            "-p",
            "tcp",
            "-e",
            "UPDATES",
            "--buffer-size",
            "16777216",
        ]);
        command.stderr(File::create(self.output.with_extension("err"))?);
        self.spawn(&mut command)?;
        self.listens()
    }

    /// It has its socket; what it does before, it does in no time.
    fn listens(&mut self) -> Result<()> {
        let id = self.children.last().map_or(0, Child::id);
        try_wait_for("the observer to listen", PATIENCE, || {
            if let Some(gone) = self.gone() {
                return Some(Err(gone));
            }
            let links = fs::read_dir(format!("/proc/{id}/fd")).ok()?;
            let listens = links
                .flatten()
                .filter_map(|link| fs::read_link(link.path()).ok())
                .any(|target| target.to_string_lossy().starts_with("socket:"));
            listens.then_some(Ok(()))
        })?
    }

    fn nft(&self, rules: &str) -> Result<()> {
        let nft = || Command::new("nft").arg(rules).stdin(Stdio::null()).output();
        let output = self.namespace.enter(nft)?.context("cannot start nft")?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    fn tcpdump(&mut self, end: &End) -> Result<()> {
        let mut command = inside(self.namespace, "tcpdump");
        command
            .args(["-i", &end.interface, "-n", "-s", "96", "-B", "16384", "-w"])
            .arg(self.output.with_extension("pcap"))
            .arg("tcp[tcpflags] & (tcp-fin|tcp-rst) != 0")
            .stderr(File::create(self.output.with_extension("err"))?);
        self.spawn(&mut command)?;
        try_wait_for("tcpdump to listen", PATIENCE, || {
            if let Some(gone) = self.gone() {
                return Some(Err(gone));
            }
            let said = fs::read_to_string(self.output.with_extension("err")).ok()?;
            said.contains("listening on").then_some(Ok(()))
        })?
    }

    /// Processor time of its processes so far; what others spend on its behalf, such
    /// as the programs that packets run, is theirs.
    pub(super) fn used(&self) -> Result<Duration> {
        let mut used = Duration::ZERO;
        for child in &self.children {
            for task in fs::read_dir(format!("/proc/{}/task", child.id()))? {
                // Nanoseconds on a processor, then two other figures.
                let text = fs::read_to_string(task?.path().join("schedstat"))?;
                let figure = text.split(' ').next().unwrap_or_default();
                used += Duration::from_nanos(figure.parse()?);
            }
        }
        Ok(used)
    }

    /// Stops it. Endings that it told, where it tells any; of `connections` it
    /// should have. And what it has used until it had told them.
    pub(super) fn finish(mut self, connections: u64) -> Result<(Option<u64>, Duration)> {
        if !self.kind.is_silent() {
            self.settle(connections)?;
        }
        let used = self.used()?;
        // The follower first: it shall not hear of the end of the others.
        self.children.reverse();
        let told = self.kind.is_ours().then(|| self.told()).transpose()?;
        self.stop()?;
        if told.is_none() && !self.kind.is_silent() {
            // Some hold back a part of their output until they end.
            return Ok((Some(self.told()?), used));
        }
        Ok((told, used))
    }

    /// What is on its way arrives, as far as it does.
    fn settle(&self, connections: u64) -> Result<()> {
        const LOOKS: u32 = 40;
        const PAUSE: Duration = Duration::from_millis(250);
        // At the level `closing`, the resets with which wrk stops are in doubt for
        // three seconds.
        let patience = if self.kind == Kind::Closing { 16 } else { 1 };
        let (mut last, mut quiet) = (u64::MAX, 0);
        for _ in 0..LOOKS {
            let told = self.told()?;
            quiet = if told == last { quiet + 1 } else { 0 };
            if told >= connections || quiet == patience {
                break;
            }
            last = told;
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn stop(&mut self) -> Result<()> {
        self.hold = None;
        for child in &mut self.children {
            if !self.kind.is_silent() {
                signal::send(child, SIGINT);
            }
            try_wait_for("the observer to stop", PATIENCE, || {
                child.try_wait().transpose()
            })??;
        }
        self.children.clear();
        if self.kind == Kind::Conntrack {
            self.nft("delete table inet bench")?;
        }
        Ok(())
    }

    /// Endings in its output so far.
    fn told(&self) -> Result<u64> {
        if self.kind == Kind::Tcpdump {
            return self.captured();
        }
        let file = File::open(&self.output)?;
        let is_ending = |line: &str| match self.kind {
            Kind::Termination | Kind::Xdp | Kind::Closing => line.contains("\"type\":\"ending\""),
            // After the heading.
            Kind::Tcplife => line.as_bytes().first().is_some_and(u8::is_ascii_digit),
            Kind::Tcpstates => line.contains("-> CLOSE "),
            Kind::Conntrack => line.contains(" TIME_WAIT ") || line.contains(" CLOSE "),
            Kind::Empty | Kind::EmptyXdp | Kind::Floor | Kind::FloorXdp | Kind::Tcpdump => false,
        };
        let mut told = 0;
        for line in BufReader::with_capacity(1 << 20, file).lines() {
            told += u64::from(is_ending(&line?));
        }
        Ok(told)
    }

    /// Half of the packets that its filter let through and that were not dropped,
    /// as it says at its end: each connection has two FINs.
    fn captured(&self) -> Result<u64> {
        let said = fs::read_to_string(self.output.with_extension("err"))?;
        let packets = |what: &str| -> Option<u64> {
            let line = said.lines().find(|line| line.ends_with(what))?;
            line.split(' ').next()?.parse().ok()
        };
        let seen = packets("received by filter").unwrap_or(0);
        let dropped = packets("dropped by kernel").unwrap_or(0);
        Ok(seen.saturating_sub(dropped) / 2)
    }
}

impl Drop for Observer<'_> {
    fn drop(&mut self) {
        // Where it went well, nothing is left to be done.
        let _ = self.stop();
        for extension in ["out", "err", "pcap"] {
            let _ = fs::remove_file(self.output.with_extension(extension));
        }
    }
}
