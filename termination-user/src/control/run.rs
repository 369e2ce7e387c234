//! `termination run`, from start to exit.

use std::{
    fmt,
    io::{self, Write as _},
    path::PathBuf,
    rc::Rc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use aya::maps::{MapData, RingBuf};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::{JoinSet, LocalSet},
    time::{MissedTickBehavior, interval, timeout},
};

use super::{
    attach::{self, Attachment, Plan},
    clock,
    controller::{Controller, Stage, settings},
    instance::Instance,
    interfaces::{self, Interface},
    load::{self, Loaded, Sizes},
    netns::{self, Netns},
    notify::notify,
    options::RunOptions,
    privileges,
    ring::Pump,
    serve::{Listener, serve},
    status::{Facts, InterfaceStatus, summary},
};
use crate::{policy::Policy, report::Clock};

/// After the end, those who follow get this long to read the rest.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Speaks to the person on stderr.
#[derive(Clone, Copy)]
struct Voice {
    quiet: bool,
}

impl Voice {
    /// What is good to know; not with `--quiet`.
    fn say(self, text: impl fmt::Display) {
        if !self.quiet {
            self.warn(text);
        }
    }

    /// What has to be known.
    fn warn(self, text: impl fmt::Display) {
        // A closed stderr is no reason to stop observing.
        let _ = writeln!(io::stderr(), "termination: {text}");
    }
}

/// Attaches, observes until a signal or `detach`, ends what lives, leaves
/// nothing behind.
///
/// # Errors
///
/// In words for a person: what failed, where, what to do. What was attached
/// until then is detached.
pub fn run(options: RunOptions) -> anyhow::Result<()> {
    privileges::check()?;
    let policy = match &options.policy {
        Some(path) => Policy::read(path)?,
        None => Policy::default(),
    };
    if options.interfaces.is_empty() {
        bail!("no interface: name at least one, a pattern such as 'veth*', or any");
    }
    let instance = Instance::claim(&options.socket)?;
    let netns = options.netns.as_deref().map(Netns::open).transpose()?;
    let interfaces = netns::within(netns.as_ref(), || choose(&options.interfaces))??;
    let sizes = Sizes::new(options.connections, options.ring_bytes)?;
    let (loaded, ring) = load::load(load::OBJECT, sizes, options.tunnels)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")?;
    let session = Session {
        options,
        policy,
        netns,
        interfaces,
    };
    let outcome = runtime.block_on(LocalSet::new().run_until(session.observe(loaded, ring)));
    drop(instance);
    outcome
}

/// The interfaces that were asked for, in the caller's namespace.
fn choose(patterns: &[String]) -> anyhow::Result<Vec<Interface>> {
    let all = interfaces::list().context("cannot list the interfaces")?;
    Ok(interfaces::select(patterns, &all)?)
}

/// What was asked for and found, before anything is attached.
struct Session {
    options: RunOptions,
    policy: Policy,
    netns: Option<Netns>,
    interfaces: Vec<Interface>,
}

/// The signals that are listened to; from then on they do not kill.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

impl Session {
    /// Everything that needs the event loop.
    async fn observe(self, mut loaded: Loaded, ring: RingBuf<MapData>) -> anyhow::Result<()> {
        let voice = Voice {
            quiet: self.options.quiet,
        };
        let mut signals = Signals::new().context("cannot listen to signals")?;
        let mut pump = Pump::new(ring).context("cannot wait on the ring buffer")?;
        let rfc1337 = netns::within(self.netns.as_ref(), has_rfc1337)?;
        loaded
            .set(settings(self.policy, rfc1337))
            .context("cannot put the policy into effect")?;
        let listener = Listener::bind(&self.options.socket).with_context(|| {
            format!(
                "cannot listen at {}; choose another with --socket",
                self.options.socket.display()
            )
        })?;
        // Connections count from here on.
        let attachments = self.attach(&mut loaded, voice)?;
        let sizes = loaded.sizes;
        voice.say(format_args!(
            "room for {} connections: {:.1} MiB of kernel memory",
            sizes.slots(),
            sizes.bytes() as f64 / f64::from(1 << 20),
        ));
        let clock = Clock {
            offset_ns: clock::offset()?,
        };
        let facts = Facts {
            started_at: clock.at(clock::monotonic()?),
            interfaces: attachments.iter().map(describe).collect(),
            netns: self.netns.as_ref().map(|netns| netns.name().to_owned()),
            tunnels: self.options.tunnels,
            policy: self.options.policy.clone(),
            rfc1337,
        };
        let controller = Rc::new(Controller::new(loaded, facts, self.policy, clock));
        voice.say(format_args!(
            "ready (pid {}, socket {})",
            std::process::id(),
            self.options.socket.display()
        ));
        if let Err(error) = notify("READY=1") {
            voice.warn(format_args!(
                "cannot tell the service manager ($NOTIFY_SOCKET): {error}"
            ));
        }

        let mut clients = JoinSet::new();
        let outcome = self
            .wait(
                &controller,
                &mut signals,
                &mut pump,
                &listener,
                &mut clients,
                voice,
            )
            .await;
        // Nobody waits for the service manager here.
        let _ = notify("STOPPING=1");
        drop(listener);
        let ended = self
            .end(&controller, attachments, &mut pump, &mut clients)
            .await;
        for line in summary(&controller.counters()?) {
            voice.say(line);
        }
        outcome.and(ended)
    }

    /// Attaches to every interface, all or none; of a pattern those that can.
    fn attach(&self, loaded: &mut Loaded, voice: Voice) -> anyhow::Result<Vec<Attachment>> {
        let RunOptions {
            mode,
            hooks,
            clsact,
            ..
        } = self.options;
        let plan = Plan {
            mode,
            hooks,
            clsact,
        };
        let named: Vec<_> = self
            .options
            .interfaces
            .iter()
            .filter(|name| !interfaces::is_pattern(name))
            .collect();
        let ebpf = &mut loaded.ebpf;
        let attached = netns::within(self.netns.as_ref(), || {
            let mut attached = Vec::new();
            for interface in &self.interfaces {
                match attach::attach(ebpf, interface, plan) {
                    Ok(attachment) => {
                        voice.say(&attachment);
                        attached.push(attachment);
                    }
                    Err(error) if named.iter().any(|name| **name == interface.name) => {
                        return Err(error.into());
                    }
                    Err(error) => voice.warn(format_args!("left out: {error}")),
                }
            }
            if attached.is_empty() {
                bail!("nothing is attached: no interface could be");
            }
            Ok(attached)
        })??;
        Ok(attached)
    }

    /// Observes until a signal or a question says to stop.
    async fn wait(
        &self,
        controller: &Rc<Controller>,
        signals: &mut Signals,
        pump: &mut Pump,
        listener: &Listener,
        clients: &mut JoinSet<()>,
        voice: Voice,
    ) -> anyhow::Result<()> {
        let mut stage = controller.stage.subscribe();
        let mut tick = interval(self.options.tick.max(Duration::from_millis(1)));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut complaint = None;
        loop {
            tokio::select! {
                taken = pump.wait(|record| controller.publish(record)) => {
                    taken.context("cannot wait on the ring buffer")?;
                }
                _ = tick.tick() => {
                    controller.measure_clock();
                    // Also what was written without waking us.
                    pump.drain(|record| controller.publish(record));
                    let error = controller.look_at_timers(pump).await.err();
                    let error = error.map(|error| format!("timers stand still: {error:#}"));
                    // Said once, not four times a second.
                    if error != complaint {
                        voice.warn(error.as_deref().unwrap_or("timers go on"));
                        complaint = error;
                    }
                }
                stream = listener.accept() => match stream {
                    Ok(stream) => {
                        clients.spawn_local(serve(Rc::clone(controller), stream));
                    }
                    // Too many at once; it passes when some hang up.
                    Err(error) => {
                        voice.warn(format_args!("cannot accept a question: {error}"));
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
                Some(_) = clients.join_next() => {}
                _ = signals.interrupt.recv() => return Ok(()),
                _ = signals.terminate.recv() => return Ok(()),
                _ = signals.hangup.recv() => match controller.reload() {
                    Ok(done) => voice.say(done),
                    Err(error) => voice.warn(format_args!("the old policy stays: {error:#}")),
                },
                _ = stage.wait_for(|stage| *stage == Stage::Stopping) => return Ok(()),
            }
        }
    }

    /// Detaches, ends what lives, lets followers read the rest.
    async fn end(
        &self,
        controller: &Rc<Controller>,
        attachments: Vec<Attachment>,
        pump: &mut Pump,
        clients: &mut JoinSet<()>,
    ) -> anyhow::Result<()> {
        // First no more segments, then the ends: so nothing opens behind the
        // sweep, and the sums come out even. A clsact filter has to be removed
        // where the interface is.
        let detached = netns::within(self.netns.as_ref(), move || drop(attachments));
        let ended = controller.end_all(pump).await;
        controller.hub.borrow_mut().close();
        controller.stage.send_replace(Stage::Stopped);
        let done = async { while clients.join_next().await.is_some() {} };
        // Who does not read is left.
        let _ = timeout(LAST_WORDS, done).await;
        detached?;
        ended.context("what lived could not be ended as `shutdown`")
    }
}

/// An attachment in the status.
fn describe(attachment: &Attachment) -> InterfaceStatus {
    let via = |hook: &Option<attach::Hook>| hook.as_ref().map(|hook| hook.via.name());
    InterfaceStatus {
        name: attachment.interface.name.clone(),
        index: attachment.interface.index,
        ingress: via(&attachment.ingress),
        egress: via(&attachment.egress),
    }
}

/// `net.ipv4.tcp_rfc1337` of the caller's network namespace (/proc/sys/net
/// shows that of who reads it). Unreadable means the kernel's default: off.
fn has_rfc1337() -> bool {
    let path = PathBuf::from("/proc/sys/net/ipv4/tcp_rfc1337");
    std::fs::read_to_string(path).is_ok_and(|text| text.trim() == "1")
}
