//! Client and server with a relay in between that obeys: it can hold segments
//! back, lose, repeat and reorder them.
//!
//! The relay copies frames as they are between two interfaces; nobody routes.
//! So two FINs can cross, the last ACK can be lost, and a host can vanish.

use std::{
    net::{Shutdown, SocketAddr},
    os::fd::{AsFd as _, AsRawFd as _},
    os::unix::net::UnixStream,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use crate::{
    Namespace, PATIENCE, Pair, Result, error::Context as _, inject::Wire, offload, packet::Packet,
    pair::unique_interface, try_wait_for,
};

/// Segments that [`Gate::seen`] remembers at most.
const REMEMBERED: usize = 1 << 16;

/// Which way a segment goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client.
    ToServer,
    /// From the server.
    ToClient,
}

/// What to do with a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Hand it on.
    Pass,
    /// Keep it until [`Gate::release`].
    Hold,
    /// Lose it.
    Drop,
    /// Hand it on twice.
    Repeat,
}

/// A segment that came to the gate.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which way it went.
    pub direction: Direction,
    /// The segment.
    pub packet: Packet,
    /// What was done with it.
    pub action: Action,
    /// As it was.
    pub frame: Vec<u8>,
}

/// What judges each TCP segment; everything else passes.
type Rule = Box<dyn FnMut(Direction, &Packet) -> Action + Send>;

/// The relay. Open at first.
pub struct Gate {
    shared: Arc<Mutex<Shared>>,
    /// Hung up to stop the thread.
    stop: UnixStream,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    /// Toward the client, toward the server.
    wires: [Wire; 2],
    rule: Rule,
    held: Vec<(Direction, Vec<u8>)>,
    seen: Vec<Seen>,
}

/// Client and server, joined by a [`Gate`].
#[derive(Debug)]
pub struct Gated {
    /// The relay.
    pub gate: Gate,
    /// Client and server; their interfaces have no offloads.
    pub pair: Pair,
    /// Where the relay is.
    _middle: Namespace,
}

impl Gated {
    /// Three new namespaces, cables and relay, ready to be used.
    ///
    /// # Errors
    ///
    /// Privileges that are missing, or what `ip` said.
    pub fn new() -> Result<Self> {
        let pair = Pair::unconnected()?;
        let middle = Namespace::new("middle")?;
        // Nothing here speaks for itself.
        for scope in ["all", "default"] {
            middle.set_sysctl(&format!("net.ipv6.conf.{scope}.disable_ipv6"), 1)?;
        }
        let names = [unique_interface("m"), unique_interface("m")];
        for (end, name) in [&pair.client, &pair.server].into_iter().zip(&names) {
            end.namespace.ip(&format!(
                "link add {} type veth peer name {name} netns {}",
                end.interface,
                middle.name(),
            ))?;
            middle.ip(&format!("link set {name} up"))?;
            end.namespace.enter(|| offload::off(&end.interface))??;
            end.configure()?;
        }
        let wires = [
            Wire::open_in(&middle, &names[0])?,
            Wire::open_in(&middle, &names[1])?,
        ];
        Ok(Self {
            gate: Gate::start(wires)?,
            pair,
            _middle: middle,
        })
    }
}

impl Gate {
    fn start(wires: [Wire; 2]) -> Result<Self> {
        let what = || "start a relay".to_owned();
        let (stop, stopped) = UnixStream::pair().to(what)?;
        // Polled while another thread holds the lock.
        let mut fds = [0; 2];
        for (fd, wire) in fds.iter_mut().zip(&wires) {
            *fd = wire.as_fd().as_raw_fd();
        }
        let shared = Arc::new(Mutex::new(Shared {
            wires,
            rule: Box::new(|_, _| Action::Pass),
            held: Vec::new(),
            seen: Vec::new(),
        }));
        let thread = thread::Builder::new()
            .name("gate".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || relay(&shared, fds, &stopped)
            })
            .to(what)?;
        Ok(Self {
            shared,
            stop,
            thread: Some(thread),
        })
    }

    /// From now on `rule` decides about each TCP segment. What is held stays.
    pub fn rule(&self, rule: impl FnMut(Direction, &Packet) -> Action + Send + 'static) {
        self.shared().rule = Box::new(rule);
    }

    /// Everything passes again. What is held stays held.
    pub fn open(&self) {
        self.rule(|_, _| Action::Pass);
    }

    /// Every segment in this direction is lost.
    pub fn blackhole(&self, direction: Direction) {
        self.rule(move |way, _| {
            if way == direction {
                Action::Drop
            } else {
                Action::Pass
            }
        });
    }

    /// Every segment is lost.
    pub fn cut(&self) {
        self.rule(|_, _| Action::Drop);
    }

    /// Segments that have all of `flags` ([`crate::packet::flag`]) are held, in
    /// both directions.
    pub fn hold(&self, flags: u8) {
        self.rule(move |_, packet| {
            if packet.is(flags) {
                Action::Hold
            } else {
                Action::Pass
            }
        });
    }

    /// How many are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.shared().held.len()
    }

    /// Waits until at least `count` are held.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Timeout`] after [`PATIENCE`].
    pub fn until_held(&self, count: usize) -> Result<()> {
        try_wait_for(&format!("{count} segments at the gate"), PATIENCE, || {
            (self.held() >= count).then_some(())
        })
    }

    /// Hands on what is held, in the order in which it came.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn release(&self) -> Result<()> {
        self.release_ordered(|_| {})
    }

    /// Hands on what is held, in the order that `order` gives it; what it
    /// removes is lost.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn release_ordered(
        &self,
        order: impl FnOnce(&mut Vec<(Direction, Vec<u8>)>),
    ) -> Result<()> {
        // With the lock: nothing overtakes what is released.
        let mut shared = self.shared();
        let mut held = std::mem::take(&mut shared.held);
        order(&mut held);
        for (direction, frame) in held {
            shared.hand_on(direction, &frame)?;
        }
        Ok(())
    }

    /// The TCP segments that came so far, oldest first.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.shared().seen.clone()
    }

    /// The latest segment from `source` that is `wanted`.
    #[must_use]
    pub fn latest(&self, source: SocketAddr, wanted: impl Fn(&Packet) -> bool) -> Option<Seen> {
        let shared = self.shared();
        let mut latest = shared.seen.iter().rev();
        latest
            .find(|seen| seen.packet.source == source && wanted(&seen.packet))
            .cloned()
    }

    /// Waits until a segment from `source` came that is `wanted`; the latest.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Timeout`] after [`PATIENCE`]; `what` names it.
    pub fn until_seen(
        &self,
        what: &str,
        source: SocketAddr,
        wanted: impl Fn(&Packet) -> bool,
    ) -> Result<Seen> {
        try_wait_for(what, PATIENCE, || self.latest(source, &wanted))
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // A rule that panicked has left everything else whole.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn take(&mut self, direction: Direction, frame: Vec<u8>) -> Result<()> {
        let Some(packet) = Packet::parse(&frame) else {
            return self.hand_on(direction, &frame);
        };
        let action = (self.rule)(direction, &packet);
        if self.seen.len() < REMEMBERED {
            self.seen.push(Seen {
                direction,
                packet,
                action,
                frame: frame.clone(),
            });
        }
        match action {
            Action::Pass => self.hand_on(direction, &frame),
            Action::Drop => Ok(()),
            Action::Hold => {
                self.held.push((direction, frame));
                Ok(())
            }
            Action::Repeat => {
                self.hand_on(direction, &frame)?;
                self.hand_on(direction, &frame)
            }
        }
    }

    fn hand_on(&self, direction: Direction, frame: &[u8]) -> Result<()> {
        let to = match direction {
            Direction::ToServer => 1,
            Direction::ToClient => 0,
        };
        self.wires[to].send([frame])
    }
}

/// The thread: copies until the other end of `stop` hangs up.
fn relay(shared: &Mutex<Shared>, wires: [i32; 2], stop: &UnixStream) {
    let poll = |fd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    loop {
        let mut fds = [poll(wires[0]), poll(wires[1]), poll(stop.as_raw_fd())];
        // SAFETY: three valid pollfds.
        let ready = unsafe { libc::poll(fds.as_mut_ptr(), 3, -1) };
        if ready > 0 && fds[2].revents != 0 {
            return;
        }
        for (number, direction) in [Direction::ToServer, Direction::ToClient]
            .into_iter()
            .enumerate()
        {
            let mut shared = lock(shared);
            while let Ok(Some(frame)) = shared.wires[number].receive() {
                // What cannot be sent is lost, as on any network: an interface
                // may be down on purpose.
                let _ = shared.take(direction, frame);
            }
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // Fails only if the thread has hung up first.
        let _ = self.stop.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            // It panics only where a rule did, and that was printed.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate")
            .field("held", &self.held())
            .finish_non_exhaustive()
    }
}
