//! What may happen to a connection, as steps that proptest can choose and
//! leave out.

use proptest::{collection::vec, prelude::*};

/// Where a sequence begins.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// ISNs of both peers.
    pub(crate) isn: [u32; 2],
    /// Window scale that each offers, if any.
    pub(crate) scale: [Option<u8>; 2],
    /// Both use timestamps.
    pub(crate) stamps: bool,
    /// IPv6.
    pub(crate) six: bool,
    /// The peer with the lower address.
    pub(crate) lower: usize,
    /// First moment, nanoseconds.
    pub(crate) start: u64,
    /// Each peer's segments pass TC, not XDP.
    pub(crate) hooks: [bool; 2],
    /// Of the peer with the lower address; the other has 443.
    pub(crate) port: u16,
}

/// One step; the numbers are the peer that acts.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A SYN, with data or not; of a new connection if there was one.
    Open(usize, u16),
    /// A whole handshake, delivered.
    Handshake(usize),
    /// Payload.
    Write(usize, u16),
    /// FIN.
    Close(usize),
    /// RST at SND.NXT, with ACK.
    Abort(usize),
    /// A pure ACK, with a SACK block or not.
    Ack(usize, bool),
    /// A zero window, and its end.
    Window(usize, u16),
    /// Keepalive or window probe.
    Probe(usize, bool),
    /// From SND.UNA once more.
    Retransmit(usize),
    /// The n-th segment under way arrives; its receiver answers or not.
    Deliver(usize, usize, bool),
    /// All segments under way arrive, in order.
    Flush,
    /// The first under way is lost before the observer, or behind it.
    Lose(usize, bool),
    /// The first under way is seen twice, the second time elsewhere or not.
    Duplicate(usize, bool),
    /// What an end without state answers to the last segment toward it.
    Refuse(usize),
    /// Somebody sends in a peer's name.
    Forge(usize, Forgery),
    /// Time passes, and timers act or not.
    Wait(u32, bool),
}

/// A segment that its supposed sender did not send.
#[derive(Clone, Debug)]
pub(crate) struct Forgery {
    pub(crate) flags: u8,
    /// From the sender's SND.NXT.
    pub(crate) seq: i32,
    /// From what the receiver has sent.
    pub(crate) ack: i32,
    pub(crate) payload: u16,
    pub(crate) good_checksum: bool,
    pub(crate) fragment: bool,
}

fn side() -> impl Strategy<Value = usize> {
    0..2_usize
}

/// Distances as a guess has them: right, beside, in the window, anywhere.
fn distance() -> impl Strategy<Value = i32> {
    prop_oneof![
        4 => Just(0),
        2 => -2..3_i32,
        3 => -70_000..70_000_i32,
        1 => any::<i32>(),
    ]
}

fn forgery() -> impl Strategy<Value = Forgery> {
    let flags = prop_oneof![
        3 => Just(0x04_u8),
        3 => Just(0x14),
        2 => Just(0x02),
        1 => Just(0x12),
        2 => Just(0x11),
        3 => Just(0x10),
        2 => any::<u8>(),
    ];
    let payload = prop_oneof![3 => Just(0_u16), 1 => 0..1400_u16];
    (
        flags,
        distance(),
        distance(),
        payload,
        prop::bool::weighted(0.95),
        prop::bool::weighted(0.05),
    )
        .prop_map(
            |(flags, seq, ack, payload, good_checksum, fragment)| Forgery {
                flags,
                seq,
                ack,
                payload,
                good_checksum,
                fragment,
            },
        )
}

fn step() -> impl Strategy<Value = Step> {
    let length = || prop_oneof![4 => 1..1400_u16, 1 => any::<u16>()];
    prop_oneof![
        2 => (side(), prop_oneof![3 => Just(0), 1 => 1..200_u16]).prop_map(|(x, n)| Step::Open(x, n)),
        3 => side().prop_map(Step::Handshake),
        8 => (side(), length()).prop_map(|(x, n)| Step::Write(x, n)),
        4 => side().prop_map(Step::Close),
        1 => side().prop_map(Step::Abort),
        4 => (side(), any::<bool>()).prop_map(|(x, sack)| Step::Ack(x, sack)),
        1 => (side(), prop_oneof![Just(0), any::<u16>()]).prop_map(|(x, n)| Step::Window(x, n)),
        1 => (side(), any::<bool>()).prop_map(|(x, byte)| Step::Probe(x, byte)),
        2 => side().prop_map(Step::Retransmit),
        8 => (side(), 0..3_usize, any::<bool>()).prop_map(|(x, n, ack)| Step::Deliver(x, n, ack)),
        6 => Just(Step::Flush),
        2 => (side(), any::<bool>()).prop_map(|(x, seen)| Step::Lose(x, seen)),
        2 => (side(), any::<bool>()).prop_map(|(x, moved)| Step::Duplicate(x, moved)),
        1 => side().prop_map(Step::Refuse),
        4 => (side(), forgery()).prop_map(|(x, forgery)| Step::Forge(x, forgery)),
        3 => (wait(), any::<bool>()).prop_map(|(time, sweep)| Step::Wait(time, sweep)),
    ]
}

/// Milliseconds: around every timer.
fn wait() -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => 0..5_000_u32,
        2 => 5_000..70_000_u32,
        1 => 250_000..350_000_u32,
        1 => 3_500_000..8_000_000_u32,
    ]
}

fn isn() -> impl Strategy<Value = u32> {
    prop_oneof![
        any::<u32>(),
        u32::MAX - 3000..=u32::MAX,
        Just(u32::MAX),
        Just(0)
    ]
}

fn scale() -> impl Strategy<Value = Option<u8>> {
    prop_oneof![1 => Just(None), 4 => (0..15_u8).prop_map(Some)]
}

/// A setting and its steps, so many of them at most.
pub(crate) fn sequence(most: usize) -> impl Strategy<Value = (Setting, Vec<Step>)> {
    let setting = (
        [isn(), isn()],
        [scale(), scale()],
        any::<bool>(),
        any::<bool>(),
        side(),
        // The second is just before ticks wrap.
        prop_oneof![Just(1_000_000_000_000), Just((1_u64 << 52) - 3_000_000_000)],
        any::<[bool; 2]>(),
    )
        .prop_map(|(isn, scale, stamps, six, lower, start, hooks)| Setting {
            isn,
            scale,
            stamps,
            six,
            lower,
            start,
            hooks,
            port: 40_000,
        });
    (setting, vec(step(), 1..=most))
}
