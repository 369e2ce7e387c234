//! `termination run`, from start to exit.

use std::{
    fs, io,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::{JoinSet, LocalSet},
    time::{MissedTickBehavior, interval, timeout},
};

use super::{
    answers::{
        serve::{Listener, serve},
        status::{Facts, summary},
    },
    controller::{Controller, Stage, settings},
    hooks::{
        attach::Plan,
        attached::{self, Attached},
        netns::{self, Netns},
        wanted::Named,
        watch::{self, Watch},
    },
    kernel::{
        load::{LoadError, Loaded},
        programs::Programs,
    },
    options::RunOptions,
    persistence::{
        pins::Pins,
        takeover::{claim_pins, open_table, say_room},
    },
    process::{instance::Instance, notify::notify, privileges, voice::Voice},
    records::ring::{Pump, Ring},
    timers::clock,
};
use crate::{policy::Policy, report::Clock};

/// After the end, those who follow get this long to read the rest.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Attaches, observes until a signal or `detach`, ends what lives, leaves
/// nothing behind: unless it was asked to persist and SIGTERM ends it.
///
/// # Errors
///
/// In words for a person: what failed, where, what to do. What was attached
/// until then is detached, unless it was there before.
pub fn run(options: RunOptions) -> anyhow::Result<()> {
    privileges::check()?;
    let policy = match &options.policy {
        Some(path) => Policy::read(path)?,
        None => Policy::default(),
    };
    let level = policy.starting_level(options.level)?;
    let mut policy = Policy {
        level: Some(level),
        ..policy
    };
    let named = Named::new(&options);
    // Before anything is made.
    named.with(&policy.interfaces)?;
    let voice = Voice {
        quiet: options.quiet,
    };
    let instance = Instance::claim(&options.socket)?;
    let netns = options.netns.as_deref().map(Netns::open).transpose()?;
    let netns = netns.map(Arc::new);
    let pins = claim_pins(&options, netns.as_deref(), voice)?;
    let before = pins.as_ref().and_then(|pins| pins.policy());
    let rfc1337 = netns::within(netns.as_deref(), has_rfc1337)?;
    let enforce = |loaded: &Loaded, policy: &Policy| {
        let enforced = loaded.enforce(settings(policy, rfc1337), &policy.traffic);
        enforced.map_err(LoadError::Policy)
    };
    let (pinned, inside) = (pins.as_ref(), netns.as_deref());
    let (table, resumed) =
        open_table(&options, level, pinned, inside, voice, &mut policy, enforce)?;
    say_policy(options.policy.as_deref(), before.as_deref(), voice);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")?;
    let session = Session {
        options,
        policy,
        rfc1337,
        netns,
        pins,
        resumed,
        voice,
    };
    let outcome = runtime.block_on(LocalSet::new().run_until(session.observe(table)));
    drop(instance);
    outcome
}

/// Which policy is in force from now on, and `before` it. The command line alone
/// decides; so that nobody forgets, what it leaves behind is said.
fn say_policy(now: Option<&Path>, before: Option<&Path>, voice: Voice) {
    match (now, before) {
        (Some(now), before) => {
            voice.say(format_args!("policy {}", now.display()));
            if let Some(before) = before
                && std::path::absolute(now).is_ok_and(|now| now != before)
            {
                voice.warn(format_args!("it takes the place of {}", before.display()));
            }
        }
        (None, None) => voice.say("policy: the defaults"),
        (None, Some(before)) => voice.warn(format_args!(
            "without --policy the defaults take the place of the policy {}; \
             to go on with it: --policy {0}",
            before.display()
        )),
    }
}

/// What was asked for and found, before anything is attached.
struct Session {
    options: RunOptions,
    policy: Policy,
    /// `net.ipv4.tcp_rfc1337` is set there.
    rfc1337: bool,
    netns: Option<Arc<Netns>>,
    pins: Option<Arc<Pins>>,
    /// The table is an earlier controller's.
    resumed: bool,
    voice: Voice,
}

/// Why observation stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// Nothing is to be left behind.
    Detach,
    /// This process goes; what is pinned stays.
    Leave,
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
    async fn observe(
        self,
        (loaded, programs, ring): (Loaded, Programs, Ring),
    ) -> anyhow::Result<()> {
        let voice = self.voice;
        let mut signals = Signals::new().context("cannot listen to signals")?;
        let mut pump = Pump::new(ring).context("cannot wait on the ring buffer")?;
        let listener = Listener::bind(&self.options.socket).with_context(|| {
            format!(
                "cannot listen at {}; choose another with --socket",
                self.options.socket.display()
            )
        })?;
        // Before the first look at the interfaces, so that none is missed.
        let watch = netns::within(self.netns.as_deref(), watch::socket)?
            .and_then(Watch::new)
            .context("cannot listen to rtnetlink")?;
        let mut attached = self.attached(programs)?;
        // Connections count from here on.
        if let Err(error) = attached.start(self.resumed) {
            if let (Some(pins), false) = (&self.pins, self.resumed) {
                attached::forget(pins, self.netns.as_deref())?;
            }
            return Err(error);
        }
        if let Some(pins) = &self.pins {
            pins.set_policy(self.options.policy.as_deref())?;
        }
        say_room(&loaded.account.room(), self.resumed, voice);
        if loaded.sizes.level.is_closing() {
            voice.say(
                "level closing: beginnings and ends alone; RSTs of open connections are \
                 believed by what follows",
            );
        }
        let guards = self.policy.guards;
        if let Some(words) = guards.words() {
            voice.say(words);
        }
        let blind = guards.blind_spots(attached.attachments());
        blind.iter().for_each(|words| voice.warn(words));
        let clock = Clock {
            offset_ns: clock::offset()?,
        };
        let facts = Facts {
            started_at: clock.at(clock::monotonic()?),
            netns: self.netns.as_ref().map(|netns| netns.name().to_owned()),
            namespace: self.netns.as_ref().map(Arc::clone),
            tunnels: self.options.tunnels,
            level: loaded.sizes.level,
            level_asked: self.options.level.is_some(),
            policy: self.options.policy.clone(),
            pinned: self.pins.as_ref().map(|pins| pins.directory().to_owned()),
            resumed: self.resumed,
            rfc1337: self.rfc1337,
        };
        let policy = self.policy.clone();
        let controller = Rc::new(Controller::new(loaded, attached, facts, policy, clock));
        if self.resumed {
            controller.look_back()?;
        }
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
        let mut loop_ = Loop {
            signals: &mut signals,
            pump: &mut pump,
            listener: &listener,
            clients: &mut clients,
            watch,
        };
        let outcome = self.wait(&controller, &mut loop_).await;
        // Nobody waits for the service manager here.
        let _ = notify("STOPPING=1");
        drop(listener);
        let detach = match outcome {
            Ok(stop) => stop == Stop::Detach,
            // What cannot go on here may go on with the next controller.
            Err(_) => self.pins.is_none(),
        };
        let ended = if detach {
            self.end(&controller, &mut pump, &mut clients).await
        } else {
            self.leave(&controller, &mut pump, &mut clients).await;
            Ok(())
        };
        let room = controller.loaded().account.room();
        for line in summary(&controller.counters()?, &room) {
            voice.say(line);
        }
        outcome.map(drop).and(ended)
    }

    fn attached(&self, programs: Programs) -> anyhow::Result<Attached> {
        let RunOptions { mode, clsact, .. } = self.options;
        let plan = Plan { mode, clsact };
        let named = Named::new(&self.options);
        let (policy, netns) = (&self.policy.interfaces, self.netns.clone());
        Attached::new(programs, plan, named, policy, netns, self.voice)
    }

    /// Observes until a signal or a question says to stop.
    async fn wait(
        &self,
        controller: &Rc<Controller>,
        Loop {
            signals,
            pump,
            listener,
            clients,
            watch,
        }: &mut Loop<'_>,
    ) -> anyhow::Result<Stop> {
        let voice = self.voice;
        let progress = controller.hub.borrow().progress();
        let mut stage = controller.stage.subscribe();
        let mut tick = interval(self.options.tick.max(Duration::from_millis(1)));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut complaint = None;
        loop {
            let room = controller.hub.borrow().room();
            tokio::select! {
                due = pump.due(), if room > 0 => {
                    due.context("cannot wait on the ring buffer")?;
                    controller.turn(pump);
                }
                // Somebody has got what was sent: there may be room now.
                () = progress.notified(), if room == 0 => controller.settle(pump),
                _ = tick.tick() => {
                    controller.measure_clock();
                    if !controller.attached.borrow().is_whole() {
                        follow(controller, voice);
                    }
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
                changed = watch.changed() => {
                    let news = changed.context("cannot listen to rtnetlink")?;
                    if news.links || controller.attached.borrow().has_filters() {
                        follow(controller, voice);
                    }
                }
                _ = signals.interrupt.recv() => return Ok(Stop::Detach),
                _ = signals.terminate.recv() => return Ok(match self.pins {
                    Some(_) => Stop::Leave,
                    None => Stop::Detach,
                }),
                _ = signals.hangup.recv() => match controller.reload() {
                    Ok(done) => voice.say(done),
                    Err(error) => voice.warn(format_args!("the old policy stays: {error:#}")),
                },
                _ = stage.wait_for(|stage| *stage == Stage::Stopping) => return Ok(Stop::Detach),
            }
        }
    }

    /// Detaches, ends what lives, lets followers read the rest.
    async fn end(
        &self,
        controller: &Rc<Controller>,
        pump: &mut Pump,
        clients: &mut JoinSet<()>,
    ) -> anyhow::Result<()> {
        // First no more segments, then the ends: so nothing opens behind the
        // sweep, and the sums come out even. A clsact filter has to be removed
        // where the interface is.
        let detached = controller.attached.borrow_mut().detach();
        let ended = controller.end_all(pump).await;
        controller.hub.borrow_mut().close();
        controller.stage.send_replace(Stage::Stopped);
        let done = async { while clients.join_next().await.is_some() {} };
        // Who does not read is left.
        let _ = timeout(LAST_WORDS, done).await;
        detached?;
        if let Some(pins) = &self.pins {
            pins.remove().context("cannot remove what is pinned")?;
        }
        ended.context("what lived could not be ended as `shutdown`")
    }

    /// Goes, and leaves everything to the next controller.
    async fn leave(&self, controller: &Rc<Controller>, pump: &mut Pump, clients: &mut JoinSet<()>) {
        controller.last_words(pump).await;
        controller.hub.borrow_mut().close();
        let done = async { while clients.join_next().await.is_some() {} };
        let _ = timeout(LAST_WORDS, done).await;
        self.voice.say(format_args!(
            "what is attached stays, and goes on being tracked: take it over with \
             `termination run --persist`, or end it with `termination detach`",
        ));
    }
}

/// Interfaces or hooks have come or gone.
fn follow(controller: &Controller, voice: Voice) {
    match controller.follow() {
        Ok(known) => known.iter().for_each(|words| voice.warn(words)),
        Err(error) => voice.warn(format_args!("{error:#}")),
    }
}

/// What the event loop waits on.
struct Loop<'a> {
    signals: &'a mut Signals,
    pump: &'a mut Pump,
    listener: &'a Listener,
    clients: &'a mut JoinSet<()>,
    watch: Watch,
}

/// `net.ipv4.tcp_rfc1337` of the caller's network namespace (/proc/sys/net
/// shows that of who reads it). Unreadable means the kernel's default: off.
fn has_rfc1337() -> bool {
    let path = PathBuf::from("/proc/sys/net/ipv4/tcp_rfc1337");
    fs::read_to_string(path).is_ok_and(|text| text.trim() == "1")
}
