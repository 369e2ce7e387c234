//! The kernel's own view of a namespace: its TCP sockets, its counters.

use std::{
    collections::BTreeMap,
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    process::Command,
    time::Duration,
};

use crate::{Error, Namespace, Result, error::Context as _};

/// The state of a TCP socket; numbered as in the kernel's net/tcp_states.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names of RFC 9293")]
pub enum State {
    Established = 1,
    SynSent,
    SynReceived,
    FinWait1,
    FinWait2,
    TimeWait,
    Close,
    CloseWait,
    LastAck,
    Listen,
    Closing,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Established,
        Self::SynSent,
        Self::SynReceived,
        Self::FinWait1,
        Self::FinWait2,
        Self::TimeWait,
        Self::Close,
        Self::CloseWait,
        Self::LastAck,
        Self::Listen,
        Self::Closing,
    ];

    /// By the kernel's number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            // TCP_NEW_SYN_RECV: a SYN that no full socket was made for yet.
            12 => Some(Self::SynReceived),
            _ => Self::ALL.into_iter().find(|&state| state as u8 == number),
        }
    }
}

/// A socket, as sock_diag(7) lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Its state. What waits in FIN_WAIT_2 after close(2), as small as a
    /// TIME_WAIT and kept with them, is listed as FIN_WAIT_2.
    pub state: State,
    /// Its own address.
    pub local: SocketAddr,
    /// The peer's.
    pub remote: SocketAddr,
    /// Until its timer runs out; zero where none runs.
    pub timer: Duration,
}

/// How many sockets of a namespace are in TIME_WAIT, both IP versions.
///
/// # Errors
///
/// What the kernel answered.
pub fn time_wait(namespace: &Namespace) -> Result<usize> {
    Ok(sockets(namespace, &[State::TimeWait])?.len())
}

/// Whether no socket of a namespace has a connection that is still to end: all
/// that is left is in TIME_WAIT or listens.
///
/// # Errors
///
/// What the kernel answered.
pub fn is_quiet(namespace: &Namespace) -> Result<bool> {
    let busy: Vec<_> = State::ALL
        .into_iter()
        .filter(|state| ![State::TimeWait, State::Listen, State::Close].contains(state))
        .collect();
    Ok(sockets(namespace, &busy)?.is_empty())
}

/// The TCP sockets of a namespace in these states, both IP versions.
///
/// # Errors
///
/// What the kernel answered.
pub fn sockets(namespace: &Namespace, states: &[State]) -> Result<Vec<Socket>> {
    let what = || {
        format!(
            "list the TCP sockets of network namespace {}",
            namespace.name()
        )
    };
    let mut all = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        let listed = namespace.enter(|| list(family as u8, states))?;
        all.extend(listed.to(what)?);
    }
    all.retain(|socket| states.contains(&socket.state));
    Ok(all)
}

/// The sockets of a namespace with these two addresses, in any state.
///
/// # Errors
///
/// What the kernel answered.
pub fn between(
    namespace: &Namespace,
    local: SocketAddr,
    remote: SocketAddr,
) -> Result<Vec<Socket>> {
    let mut all = sockets(namespace, &State::ALL)?;
    all.retain(|socket| socket.local == local && socket.remote == remote);
    Ok(all)
}

/// Has the kernel destroy a connection, as an administrator does (`ss -K`).
///
/// # Errors
///
/// [`Error::System`] where there is no `ss`, [`Error::Unexpected`] where it
/// found nothing that it could destroy.
pub fn destroy(namespace: &Namespace, local: SocketAddr, remote: SocketAddr) -> Result<()> {
    let filter = |what: &str, address: SocketAddr| [what.to_owned(), address.to_string()];
    let output = namespace.enter(|| {
        Command::new("ss")
            .args(["--tcp", "--numeric", "--no-header", "--kill"])
            .args(filter("src", local))
            .args(filter("dst", remote))
            .output()
    })?;
    let output = output.to(|| "run `ss` (package iproute2)".to_owned())?;
    if output.stdout.is_empty() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Error::unexpected("`ss --kill`", "a socket destroyed", said));
    }
    Ok(())
}

/// SOCK_DIAG_BY_FAMILY of linux/sock_diag.h.
const BY_FAMILY: u16 = 20;

/// One dump, in the namespace of the calling thread.
fn list(family: u8, states: &[State]) -> io::Result<Vec<Socket>> {
    // SAFETY: a plain system call; the result is checked.
    let socket = unsafe {
        libc::socket(
            libc::AF_NETLINK,
            libc::SOCK_RAW | libc::SOCK_CLOEXEC,
            libc::NETLINK_SOCK_DIAG,
        )
    };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };

    // struct nlmsghdr (16 bytes), then struct inet_diag_req_v2 (56 bytes).
    let mut request = [0_u8; 72];
    request[0..4].copy_from_slice(&72_u32.to_ne_bytes());
    request[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
    request[6..8].copy_from_slice(&flags.to_ne_bytes());
    request[16] = family;
    request[17] = libc::IPPROTO_TCP as u8;
    let mask = states
        .iter()
        .fold(0_u32, |mask, &state| mask | 1 << state as u8);
    request[20..24].copy_from_slice(&mask.to_ne_bytes());
    // SAFETY: the buffer is readable for its length.
    let sent = unsafe {
        libc::send(
            socket.as_raw_fd(),
            request.as_ptr().cast(),
            request.len(),
            0,
        )
    };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }

    let mut all = Vec::new();
    let mut buffer = vec![0_u8; 64 << 10];
    loop {
        // SAFETY: the buffer is writable for its length.
        let length = unsafe {
            libc::recv(
                socket.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                0,
            )
        };
        let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
        let mut rest = &buffer[..length];
        while let Some((kind, content)) = message(&mut rest) {
            match i32::from(kind) {
                libc::NLMSG_DONE => return Ok(all),
                // A negative errno follows the header.
                libc::NLMSG_ERROR => {
                    let error = content
                        .first_chunk()
                        .map_or(0, |&bytes| i32::from_ne_bytes(bytes));
                    return Err(io::Error::from_raw_os_error(-error));
                }
                _ => all.extend(parse(content)),
            }
        }
    }
}

/// Takes the first message off `rest`: its type and what follows its header.
fn message<'a>(rest: &mut &'a [u8]) -> Option<(u16, &'a [u8])> {
    let length = u32::from_ne_bytes(*rest.first_chunk()?) as usize;
    let kind = u16::from_ne_bytes(rest.get(4..6)?.try_into().ok()?);
    let content = rest.get(16..length)?;
    *rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, content))
}

/// Reads a struct inet_diag_msg of linux/inet_diag.h.
fn parse(message: &[u8]) -> Option<Socket> {
    let address = |port: usize, at: usize| {
        let ip: IpAddr = match i32::from(*message.first()?) {
            libc::AF_INET => Ipv4Addr::from(array::<4>(message, at)?).into(),
            _ => Ipv6Addr::from(array::<16>(message, at)?).to_canonical(),
        };
        Some(SocketAddr::new(
            ip,
            u16::from_be_bytes(array(message, port)?),
        ))
    };
    Some(Socket {
        state: State::from_number(*message.get(1)?)?,
        local: address(4, 8)?,
        remote: address(6, 24)?,
        timer: Duration::from_millis(u32::from_ne_bytes(array(message, 52)?).into()),
    })
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// The SNMP counters of a namespace, those of Linux's own included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters(BTreeMap<String, i64>);

impl Counters {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn read(namespace: &Namespace) -> Result<Self> {
        let mut counters = BTreeMap::new();
        for name in ["snmp", "netstat"] {
            // That of the thread, not of the process: it is the thread that is
            // in the namespace.
            let path = format!("/proc/thread-self/net/{name}");
            let text = namespace.enter(|| fs::read_to_string(&path))?;
            counters.extend(pairs(&text.to(|| format!("read {path}"))?));
        }
        Ok(Self(counters))
    }

    /// One counter by group and name as in the files, `Tcp.OutRsts`,
    /// `TcpExt.TCPAbortOnClose`. 0 if this kernel does not count it.
    #[must_use]
    pub fn get(&self, name: &str) -> i64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// What was added since `earlier`, of one counter.
    #[must_use]
    pub fn since(&self, earlier: &Self, name: &str) -> i64 {
        self.get(name) - earlier.get(name)
    }
}

/// Two lines a group: the names, the values.
fn pairs(text: &str) -> BTreeMap<String, i64> {
    let mut all = BTreeMap::new();
    let mut lines = text.lines();
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        let Some((group, names)) = names.split_once(':') else {
            continue;
        };
        let values = values.split_whitespace().skip(1);
        for (name, value) in names.split_whitespace().zip(values) {
            if let Ok(value) = value.parse() {
                all.insert(format!("{group}.{name}"), value);
            }
        }
    }
    all
}

/// Waits until [`is_quiet`] holds for both ends.
///
/// # Errors
///
/// [`Error::Timeout`] after [`crate::PATIENCE`], or what the kernel answered.
pub fn until_quiet(namespaces: &[&Namespace]) -> Result<()> {
    crate::try_wait_for("all connections to be closed", crate::PATIENCE, || {
        let quiet: Result<Vec<_>, Error> = namespaces
            .iter()
            .map(|namespace| is_quiet(namespace))
            .collect();
        match quiet {
            Ok(quiet) => quiet.into_iter().all(|quiet| quiet).then_some(Ok(())),
            Err(error) => Some(Err(error)),
        }
    })?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_by_group() {
        let text = "Tcp: RtoMin MaxConn OutRsts\nTcp: 200 -1 7\nUdp: InErrors\nUdp: 3\n";
        let counters = Counters(pairs(text));
        assert_eq!(counters.get("Tcp.OutRsts"), 7);
        assert_eq!(counters.get("Tcp.MaxConn"), -1);
        assert_eq!(counters.get("Udp.InErrors"), 3);
        assert_eq!(counters.get("Tcp.Other"), 0);
    }

    #[test]
    fn states_are_the_kernels() {
        assert_eq!(State::TimeWait as u8, 6);
        for state in State::ALL {
            assert_eq!(State::from_number(state as u8), Some(state));
        }
        assert_eq!(State::from_number(0), None);
    }
}
