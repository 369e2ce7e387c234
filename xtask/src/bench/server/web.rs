//! nginx and wrk.

use std::{
    ffi::OsStr,
    fs,
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use termination_lab::{Namespace, PATIENCE, Pair, signal, try_wait_for};

use super::super::DIRECTORY;

/// Connections at once.
const CONNECTIONS: u32 = 64;

/// A web server in the server's namespace.
pub(super) struct Web {
    child: Child,
    pub(super) port: u16,
}

/// What wrk says.
pub(super) struct Load {
    pub(super) requests: u64,
    /// Requests a second.
    pub(super) rate: f64,
}

impl Web {
    /// One worker, one answer, no log; it closes after each.
    pub(super) fn start(pair: &Pair) -> Result<Self> {
        let port = pair.next_port()?;
        let address = pair.server.v4;
        let directory = std::path::absolute(DIRECTORY)?;
        let file = directory.join("nginx.conf");
        let at = directory.display();
        let text = format!(
            "daemon off;\nworker_processes 1;\npid {at}/nginx.pid;\nerror_log {at}/nginx.log;\n\
             events {{ worker_connections 4096; }}\n\
             http {{\n\
             access_log off;\nkeepalive_timeout 0;\nclient_body_temp_path {at}/nginx-body;\n\
             server {{ listen {address}:{port} backlog=4096; \
             location / {{ return 200 'hello, world\\n'; }} }}\n}}\n"
        );
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        for end in [&pair.client, &pair.server] {
            let namespace = &end.namespace;
            namespace.set_sysctl("net.ipv4.ip_local_port_range", "1024 65535")?;
            namespace.set_sysctl("net.core.somaxconn", 4096)?;
        }
        let mut command = inside(&pair.server.namespace, "nginx");
        command.arg("-c").arg(&file).stdin(Stdio::null());
        signal::tie(&mut command);
        let web = Self {
            child: command
                .spawn()
                .context("cannot start nsenter (package util-linux)")?,
            port,
        };
        try_wait_for("nginx to answer", PATIENCE, || {
            let connect = || TcpStream::connect((address, port)).is_ok();
            pair.client.namespace.enter(connect).ok()?.then_some(())
        })?;
        Ok(web)
    }

    /// One request per connection, as fast as they are answered.
    pub(super) fn load(&self, pair: &Pair, time: Duration) -> Result<Load> {
        let url = format!("http://{}:{}/", pair.server.v4, self.port);
        let output = pair.client.namespace.enter(|| {
            Command::new("wrk")
                .args(["--threads", "1", "--connections", &CONNECTIONS.to_string()])
                .args(["--duration", &format!("{}s", time.as_secs().max(1))])
                .args(["--header", "Connection: close", &url])
                .stdin(Stdio::null())
                .output()
        });
        let output = output?.context("cannot start wrk")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let number = |what: Option<&str>| what.and_then(|text| text.trim().parse::<f64>().ok());
        let requests = said
            .lines()
            .find_map(|line| line.split_once(" requests in "));
        let rate = said
            .lines()
            .find_map(|line| line.strip_prefix("Requests/sec:"));
        match (number(requests.map(|(count, _)| count)), number(rate)) {
            (Some(requests), Some(rate)) if requests > 0.0 => Ok(Load {
                requests: requests as u64,
                rate,
            }),
            _ => bail!("wrk got no answers:\n{said}"),
        }
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        // The master stops its worker.
        signal::send(&self.child, 15 /* SIGTERM */);
        let _ = self.child.wait();
        for name in ["nginx.conf", "nginx.pid", "nginx.log"] {
            let _ = fs::remove_file(Path::new(DIRECTORY).join(name));
        }
        let _ = fs::remove_dir(Path::new(DIRECTORY).join("nginx-body"));
    }
}

/// A program to be started in a namespace. Not from a thread that is in there:
/// what is tied to a thread ends with it.
pub(super) fn inside(namespace: &Namespace, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{}", namespace.name()));
    command.arg("--").arg(program);
    command
}

/// Time that all processors together have been busy, since boot; what the
/// hypervisor took away is not among it.
pub(super) fn busy() -> Result<Duration> {
    const HERTZ: f64 = 100.0;
    let text = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    let line = text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("cpu "));
    let fields: Vec<u64> = line
        .context("/proc/stat does not begin with all processors")?
        .split_whitespace()
        .flat_map(str::parse)
        .collect();
    // user, nice, system, idle, iowait, irq, softirq
    let [user, nice, system, _, _, irq, softirq, ..] = fields[..] else {
        bail!("/proc/stat has too few fields");
    };
    let ticks = user + nice + system + irq + softirq;
    Ok(Duration::from_secs_f64(ticks as f64 / HERTZ))
}
