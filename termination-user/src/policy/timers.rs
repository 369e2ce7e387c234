//! The timers of a policy: what each is, what it may be, and what contradicts
//! what.

use termination_common::time::{TICK_SHIFT, Tick, ticks_from_seconds};
use toml::Value;

use super::{
    Policy,
    file::{self, Raw, Refusal},
};

/// Longest timer, seconds: ages are compared modulo 52 days, so a timer must
/// stay well below half of that.
const LONGEST: f64 = 20.0 * 86_400.0;

/// A tuple lingers at most this long after its ending, seconds (the taxonomy's
/// bound on strays that keep it alive).
const LINGER_MAX: f64 = 300.0;

/// How Linux waits, and how long it probes: what a policy is told apart from.
const LINUX_MSL: f64 = 30.0;
const LINUX_KEEPALIVE: f64 = 7200.0;

/// One row of the table of timers.
pub(super) struct Row {
    /// Its key in the file.
    pub(super) key: &'static str,
    /// What runs out.
    pub(super) what: &'static str,
    /// Where it is kept.
    at: fn(&mut Policy) -> &mut Tick,
    /// Longest, seconds as written.
    most: f64,
    /// What is kept is so many times what is written.
    times: f64,
}

/// All of them, in the order of a connection's life.
pub(super) const ROWS: [Row; 11] = [
    Row {
        key: "syn_sent",
        what: "a SYN without an answer: unanswered",
        at: |policy| &mut policy.timers.syn_sent,
        most: LONGEST,
        times: 1.0,
    },
    Row {
        key: "syn_received",
        what: "a SYN-ACK without an ack: handshake_unacked",
        at: |policy| &mut policy.timers.syn_received,
        most: LONGEST,
        times: 1.0,
    },
    Row {
        key: "established_idle",
        what: "open, nobody says anything: idle_expired",
        at: |policy| &mut policy.timers.established_idle,
        most: LONGEST,
        times: 1.0,
    },
    Row {
        key: "half_open",
        what: "retransmissions or probes unanswered: half_open_silent",
        at: |policy| &mut policy.timers.half_open,
        most: LONGEST,
        times: 1.0,
    },
    Row {
        key: "silent",
        what: "an end this quiet is suspected of being gone",
        at: |policy| &mut policy.settings.silent,
        most: LONGEST,
        times: 1.0,
    },
    Row {
        key: "half_closed",
        what: "one FIN, acked, and no more: half_closed_abandoned",
        at: |policy| &mut policy.timers.half_closed,
        most: LONGEST,
        times: 1.0,
    },
    Row {
        key: "fin_unanswered",
        what: "one FIN, never acked: fin_unanswered",
        at: |policy| &mut policy.timers.fin_unanswered,
        most: LONGEST,
        times: 1.0,
    },
    Row {
        key: "last_ack",
        what: "two FINs, not both acked: graceful_unconfirmed",
        at: |policy| &mut policy.timers.last_ack,
        most: LONGEST,
        times: 1.0,
    },
    // What lingers is bounded, so a longer wait would be cut short.
    Row {
        key: "msl",
        what: "TIME_WAIT lasts twice as long",
        at: |policy| &mut policy.timers.time_wait,
        most: LINGER_MAX / 2.0,
        times: 2.0,
    },
    Row {
        key: "reset_linger",
        what: "after other endings the tuple is kept for strays",
        at: |policy| &mut policy.timers.reset_linger,
        most: LINGER_MAX,
        times: 1.0,
    },
    Row {
        key: "reset_confirm",
        what: "an RST in doubt waits for proof of life",
        at: |policy| &mut policy.timers.reset_confirm,
        most: LONGEST,
        times: 1.0,
    },
];

impl Row {
    /// Seconds, as they were written: the shortest number that comes to the
    /// same ticks, which are rounded up.
    pub(super) fn seconds(&self, policy: &Policy) -> f64 {
        const TICK: f64 = (1_u64 << TICK_SHIFT) as f64 / 1e9;
        const DIGITS: i32 = 6;
        // One function for reading and writing, and a policy is small.
        let mut copy = policy.clone();
        let kept = f64::from(*(self.at)(&mut copy)) * TICK;
        let cut = |digits| {
            let scale = 10_f64.powi(digits);
            (kept * scale).floor() / scale
        };
        let written = (0..DIGITS).map(cut).find(|cut| kept - cut < TICK);
        written.unwrap_or_else(|| cut(DIGITS)) / self.times
    }
}

/// Takes the timers over.
pub(super) fn build(policy: &mut Policy, file: file::Timers) -> Result<(), Refusal> {
    let file::Timers {
        syn_sent,
        syn_received,
        established_idle,
        half_open,
        silent,
        half_closed,
        fin_unanswered,
        last_ack,
        msl,
        reset_linger,
        reset_confirm,
    } = file;
    let written = [
        syn_sent,
        syn_received,
        established_idle,
        half_open,
        silent,
        half_closed,
        fin_unanswered,
        last_ack,
        msl,
        reset_linger,
        reset_confirm,
    ];
    for (row, value) in ROWS.iter().zip(&written) {
        if let Some(value) = value {
            *(row.at)(policy) = ticks_from_seconds(row.times * within(row, value)?);
        }
    }
    policy.settings.timers = policy.timers;
    let at = |index: usize| written.get(index)?.as_ref().map(|value| value.span().start);
    contradiction(policy, at(9), at(10))
}

/// A duration in (0, most] seconds.
fn within(row: &Row, value: &Raw) -> Result<f64, Refusal> {
    let refuse = |message: String| {
        let key = format!("timers.{}", row.key);
        Err((value.span().start, key, message))
    };
    let seconds = match value.get_ref() {
        Value::Integer(seconds) => *seconds as f64,
        Value::Float(seconds) => *seconds,
        other => {
            return refuse(format!(
                "{other} is not a number; timers are in seconds, without a unit: {} = 30 or 2.5",
                row.key
            ));
        }
    };
    let most = row.most;
    // NaN is in no range.
    if !(seconds > 0.0 && seconds <= most) {
        return refuse(format!(
            "{seconds} is not a number of seconds above 0 and at most {most}"
        ));
    }
    Ok(seconds)
}

/// What cannot hold together. The line named is that of the key which was
/// written; of the later one if both were.
fn contradiction(
    policy: &Policy,
    linger: Option<usize>,
    confirm: Option<usize>,
) -> Result<(), Refusal> {
    let [.., reset_linger, reset_confirm] = &ROWS;
    if policy.timers.reset_confirm < policy.timers.reset_linger {
        return Ok(());
    }
    let (linger_s, confirm_s) = (reset_linger.seconds(policy), reset_confirm.seconds(policy));
    let (at, key) = if confirm >= linger {
        (confirm, "timers.reset_confirm")
    } else {
        (linger, "timers.reset_linger")
    };
    let message = format!(
        "reset_confirm ({confirm_s} s) has to be shorter than reset_linger ({linger_s} s): \
         a connection ends at the time of its RST, so when the RST is confirmed its tuple \
         would already be free, and a late segment would count as a new connection"
    );
    Err((at.unwrap_or(0), key.to_owned(), message))
}

/// What may be meant so, and has a consequence that surprises.
pub(super) fn notes(policy: &Policy) -> Vec<String> {
    let seconds = |key: &str| {
        let row = ROWS.iter().find(|row| row.key == key);
        row.map_or(0.0, |row| row.seconds(policy))
    };
    let mut notes = Vec::new();
    let [idle, half_open, msl] = ["established_idle", "half_open", "msl"].map(seconds);
    let [half_closed, unanswered] = ["half_closed", "fin_unanswered"].map(seconds);
    let silent = seconds("silent");
    if idle < LINUX_KEEPALIVE {
        notes.push(format!(
            "established_idle = {idle}: idle connections count as idle_expired before the \
             first keepalive of Linux ({LINUX_KEEPALIVE} s); if they speak again, they are met \
             midstream"
        ));
    }
    if half_open > idle {
        notes.push(format!(
            "half_open = {half_open} is above established_idle = {idle}: a connection whose \
             peer does not answer is kept longer than a quiet one"
        ));
    }
    if silent >= half_open {
        notes.push(format!(
            "silent = {silent} is not below half_open = {half_open}: a connection whose peer is \
             gone ends before anybody is suspected"
        ));
    }
    if half_closed < unanswered {
        notes.push(format!(
            "half_closed = {half_closed} is below fin_unanswered = {unanswered}: a FIN that was \
             acked is given up sooner than one that was not"
        ));
    }
    if msl != LINUX_MSL {
        notes.push(format!(
            "msl = {msl}: TIME_WAIT counts as {} s; that of Linux is 60 s whatever this says, so \
             the two counts differ",
            2.0 * msl
        ));
    }
    notes
}
