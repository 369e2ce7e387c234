//! What policy tells the engine: timers in ticks, and settings.

use crate::time::{Tick, ticks_from_seconds};

/// How much is tracked. Chosen when the programs are loaded, so that the other
/// level is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum Level {
    /// Every segment.
    #[default]
    Full = 0,
    /// Beginnings and ends ([`crate::engine::closing`]).
    Closing = 1,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Full, Self::Closing];

    /// The word in policies, on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Closing => "closing",
        }
    }

    /// From [`Level::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// Beginnings and ends alone.
    #[inline(always)]
    pub const fn is_closing(self) -> bool {
        matches!(self, Self::Closing)
    }
}

/// The timers of the engine, in ticks. DESIGN's defaults by [`Timers::DEFAULT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Timers {
    /// A SYN that nobody answered.
    pub syn_sent: Tick,
    /// A SYN-ACK that nobody acked.
    pub syn_received: Tick,
    /// No FIN, no question asked (2 h keepalive + 9 probes).
    pub established_idle: Tick,
    /// No FIN, and retransmissions or probes unanswered.
    pub half_open: Tick,
    /// One FIN, acked.
    pub half_closed: Tick,
    /// One FIN, not acked.
    pub fin_unanswered: Tick,
    /// Two FINs, not both acked.
    pub last_ack: Tick,
    /// TIME_WAIT: 2 x MSL.
    pub time_wait: Tick,
    /// After any other ending.
    pub reset_linger: Tick,
    /// How long an RST in doubt waits to be refuted.
    pub reset_confirm: Tick,
}

impl Timers {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        syn_sent: ticks_from_seconds(60.0),
        syn_received: ticks_from_seconds(60.0),
        established_idle: ticks_from_seconds(7875.0),
        half_open: ticks_from_seconds(300.0),
        half_closed: ticks_from_seconds(3600.0),
        fin_unanswered: ticks_from_seconds(300.0),
        last_ack: ticks_from_seconds(60.0),
        time_wait: ticks_from_seconds(60.0),
        reset_linger: ticks_from_seconds(10.0),
        reset_confirm: ticks_from_seconds(3.0),
    };
}

/// What `step` itself needs of policy; one element of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Settings {
    /// An end quiet for this long is silent (half-open by data, suspicion).
    pub silent: Tick,
    /// After this much silence of its home hook a direction may move.
    pub home: Tick,
    /// A challenge ACK refutes an RST that comes at most this much later.
    pub challenge: Tick,
    /// Lingering tuples are kept at most this long after their ending.
    pub linger_max: Tick,
    /// The timers, for what had run out before anybody looked when its tuple or
    /// its room is taken ([`crate::timer::lapse`]).
    pub timers: Timers,
    /// Bit n: event number n goes to the ring. Endings and TIME_WAITs count
    /// as events here ([`crate::counters::Event`]).
    pub events: u32,
    /// [`setting`].
    pub flags: u32,
    /// One connection in so many is tracked; 0 and 1: all
    /// ([`crate::traffic::sampled`]).
    pub sample: u32,
}

/// Bits of [`Settings::flags`]; those from 8 on are
/// [`crate::traffic::rule`]'s.
pub mod setting {
    /// This host has `net.ipv4.tcp_rfc1337`: its TIME_WAIT ignores RSTs.
    pub const RFC1337: u32 = 1 << 0;
    /// Two bits: how far the guard `blind` goes ([`crate::engine::guard`]).
    pub const BLIND_SHIFT: u32 = 1;
    /// Two bits: how far the guard `time_wait` goes.
    pub const TIME_WAIT_SHIFT: u32 = 3;
    /// The two bits of a guard: one of the next three.
    pub const GUARD: u32 = 0b11;
    /// It is not there.
    pub const OFF: u32 = 0;
    /// It counts what it would drop.
    pub const DRY_RUN: u32 = 1;
    /// It drops.
    pub const ARMED: u32 = 2;
    /// Not 0 if there is any guard.
    pub const GUARDS: u32 = GUARD << BLIND_SHIFT | GUARD << TIME_WAIT_SHIFT;
}

impl Settings {
    /// The defaults: every record and every rare event, not the noisy ones.
    pub const DEFAULT: Self = Self {
        silent: ticks_from_seconds(10.0),
        home: ticks_from_seconds(1.0),
        challenge: ticks_from_seconds(1.0),
        linger_max: ticks_from_seconds(300.0),
        timers: Timers::DEFAULT,
        events: 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 12,
        flags: 0,
        sample: 0,
    };
}
