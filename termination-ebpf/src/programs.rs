//! The bodies of the programs, the same in both objects but for the source of
//! time and place.

use core::{arch::asm, ffi::c_void};

use aya_ebpf::{
    EbpfContext as _,
    bindings::{__sk_buff, TC_ACT_SHOT, xdp_action, xdp_md},
    helpers::{bpf_jiffies64, bpf_ktime_get_coarse_ns, bpf_ktime_get_ns, bpf_loop},
    programs::{TcContext, XdpContext},
};
use termination_common::{
    counters,
    driver::{self, NOWHERE},
    exchange::{Operation, SWEEP_BATCH, SweepHeader, SweepRequest},
    policy::Timers,
    segment::{Fast, Flags, Segment, mark},
    table::Memory as _,
    time::tick,
    verifier::blur,
    wire::{self, Bytes as _, Context, Skip, tunnel},
};

use crate::{
    filter,
    maps::{CLOCK, FOLLOW},
    memory::{Maps, count_nth, scratch},
    packet::{Linear, read_copied},
};

/// An observer lets the next program, or the stack, decide, unless a guard drops
/// (include/uapi/linux/pkt_cls.h TC_ACT_UNSPEC, TCX_NEXT).
pub const UNSPEC: i32 = -1;

/// Where time and place come from.
pub trait Source {
    /// Time (0: take the kernel's once the flags are known) and home of an XDP
    /// frame.
    fn xdp(context: &XdpContext) -> (u64, u32);
    /// The same of an skb.
    fn skb(context: &TcContext, egress: bool) -> (u64, u32);
}

/// The kernel's clock and the interface.
pub struct Live;

impl Source for Live {
    #[inline(always)]
    fn xdp(context: &XdpContext) -> (u64, u32) {
        (0, (context.ingress_ifindex() as u32) << 1)
    }

    #[inline(always)]
    fn skb(context: &TcContext, egress: bool) -> (u64, u32) {
        // SAFETY: the context of the running program.
        let index = unsafe { (*context.skb.skb).ifindex };
        (0, index << 1 | u32::from(egress))
    }
}

/// The frame's metadata, for tests: 8 bytes of time and 4 of home before an
/// XDP frame; `tstamp` and `cb[0]` of an skb.
pub struct Replay;

impl Source for Replay {
    #[inline(always)]
    fn xdp(context: &XdpContext) -> (u64, u32) {
        let meta = context.metadata();
        if meta + 16 > context.metadata_end() {
            return (0, 0);
        }
        // SAFETY: 16 bytes of metadata, checked above, 4-byte aligned by the
        // kernel (bpf_xdp_adjust_meta).
        unsafe {
            let words = core::ptr::with_exposed_provenance::<u32>(meta);
            let time = u64::from(*words) | u64::from(*words.add(1)) << 32;
            (time, *words.add(2))
        }
    }

    #[inline(always)]
    fn skb(context: &TcContext, _egress: bool) -> (u64, u32) {
        // SAFETY: the context of the running program.
        unsafe {
            let skb = context.skb.skb;
            ((*skb).tstamp, (*skb).cb[0])
        }
    }
}

/// XDP ingress: native or generic.
#[inline(always)]
pub fn ingress_xdp<S: Source>(context: &XdpContext) -> u32 {
    if Maps.level().is_closing() && is_left_alone(Linear::xdp(context)) {
        return xdp_action::XDP_PASS;
    }
    let plain = blur(
        plain_xdp::<S>(context.ctx),
        context.ingress_ifindex() as u32,
    );
    if plain == DONE {
        return xdp_action::XDP_PASS;
    }
    let mut skip = 0;
    if plain & READ == 0 {
        skip = parse_xdp::<S>(context.ctx);
    }
    if finish(skip, plain as u32) {
        return xdp_action::XDP_DROP;
    }
    xdp_action::XDP_PASS
}

/// As far as the segment, for measurements.
#[inline(always)]
pub fn parse_only<S: Source>(context: &XdpContext) -> u32 {
    let skip = parse_xdp::<S>(context.ctx);
    if skip != 0 {
        count_nth(counters::SKIP, skip);
    }
    xdp_action::XDP_PASS
}

/// TC: egress always, ingress where XDP cannot be had.
#[inline(always)]
pub fn tc<S: Source>(context: &TcContext, egress: bool) -> i32 {
    if Maps.level().is_closing() && is_left_alone(Linear::skb(context)) {
        return UNSPEC;
    }
    let plain = blur(
        plain_skb::<S>(context.skb.skb, u32::from(egress)),
        context.len(),
    );
    if plain == DONE {
        return UNSPEC;
    }
    let mut skip = 0;
    if plain & READ == 0 {
        skip = parse_skb::<S>(context.skb.skb, u32::from(egress));
        if skip == COPY {
            skip = parse_copied::<S>(context.skb.skb, u32::from(egress));
        }
    }
    // What leaves this host is no guard's business.
    if finish(skip, plain as u32) && !egress {
        return TC_ACT_SHOT;
    }
    UNSPEC
}

/// At the level `closing`: nearly every segment, of a connection that needs no
/// attention. In the entry point itself: a call costs as much as a third of it.
#[inline(always)]
fn is_left_alone(packet: Linear) -> bool {
    wire::light(packet, Maps.seed()).is_some_and(|key| !driver::is_attended(&Maps, key))
}

/// What [`plain_xdp`] returns where there is nothing left to do.
const DONE: u64 = 1 << 32;
/// What it returns, with the slot that it found, where the segment is in SCRATCH.
const READ: u64 = 1 << 33;

/// A segment that is plain to read, and the time, or 0. At the level `full` it is tried
/// on the fast way ([`driver::fast`]). What that leaves is handed on in SCRATCH, so that
/// nobody reads the frame once more. The result, in one register, is [`DONE`], or
/// [`READ`] with the slot that was found.
#[inline(always)]
fn observe_plain(segment: &Fast, time: u64, marks: u16) -> u64 {
    let near = if Maps.level().is_closing() {
        NOWHERE
    } else {
        match driver::fast(&Maps, segment) {
            Ok(()) => return DONE,
            Err(near) => near,
        }
    };
    let Some(scratch) = scratch() else {
        return NOWHERE.into();
    };
    *scratch = segment.whole(opaque(time), marks);
    READ | u64::from(near)
}

/// The way of what is plain to read. A sub-program, so that its stack is given back
/// before any other way is gone.
#[inline(never)]
fn plain_xdp<S: Source>(context: *mut xdp_md) -> u64 {
    let context = &XdpContext::new(context);
    let Some(mut segment) = wire::fast(Linear::xdp(context)) else {
        return NOWHERE.into();
    };
    let (time, home) = S::xdp(context);
    segment.home = home;
    segment.tick = tick(if time == 0 { coarse() } else { time });
    observe_plain(&segment, time, 0)
}

/// The same of an skb.
#[inline(never)]
fn plain_skb<S: Source>(context: *mut __sk_buff, egress: u32) -> u64 {
    let context = &TcContext::new(context);
    let Some(mut segment) = wire::fast(Linear::skb(context)) else {
        return NOWHERE.into();
    };
    let egress = egress != 0;
    let (time, home) = S::skb(context, egress);
    // SAFETY: the context of the running program.
    let segments = unsafe { (*context.skb.skb).gso_segs };
    if segments > 1 {
        segment.packets = segments as u16;
    }
    segment.home = home;
    segment.tick = tick(if time == 0 { coarse() } else { time });
    observe_plain(&segment, time, if egress { mark::EGRESS } else { 0 })
}

/// The kernel's coarse clock. It moves with the kernel's tick, so between two
/// of them the last reading is as good as a new one, at a tenth of its cost.
#[inline(always)]
pub fn coarse() -> u64 {
    // SAFETY: no arguments.
    let jiffies = unsafe { bpf_jiffies64() };
    let Some(clock) = CLOCK.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: this CPU's own; programs run with bottom halves off, so nobody
    // else uses it until this one has returned.
    let clock = unsafe { &mut *clock };
    if clock.jiffies != jiffies {
        clock.jiffies = jiffies;
        // SAFETY: no arguments.
        clock.nanoseconds = unsafe { bpf_ktime_get_coarse_ns() };
    }
    clock.nanoseconds
}

/// Parses into SCRATCH; a sub-program, so that its stack is given back before
/// the table is visited. Returns the number of the [`Skip`], or 0.
#[inline(never)]
pub fn parse_xdp<S: Source>(context: *mut xdp_md) -> u32 {
    let context = &XdpContext::new(context);
    let Some(segment) = scratch() else {
        return Skip::Runt as u32;
    };
    let (time, home) = S::xdp(context);
    let facts = Context {
        time: opaque(time),
        home,
        packets: 1,
        length: (context.data_end() - context.data()) as u32,
        verify_checksum: true,
        ..Context::default()
    };
    let packet = Linear::xdp(context);
    let peeled = peel(packet);
    if peeled != 0 {
        let (offset, kind) = place(packet, peeled);
        return number(wire::by_ethertype(packet, offset, kind, &facts, segment));
    }
    number(wire::ethernet(packet, &facts, segment))
}

/// The same of an skb.
#[inline(never)]
pub fn parse_skb<S: Source>(context: *mut __sk_buff, egress: u32) -> u32 {
    let context = &TcContext::new(context);
    let egress = egress != 0;
    let Some(segment) = scratch() else {
        return Skip::Runt as u32;
    };
    let facts = facts::<S>(context, egress);
    let linear = Linear::skb(context);
    let peeled = peel(linear);
    if peeled != 0 {
        let (offset, kind) = place(linear, peeled);
        return number(wire::by_ethertype(linear, offset, kind, &facts, segment));
    }
    let read = wire::ethernet(linear, &facts, segment);
    if read == Err(Skip::Runt) && linear.length() < context.len() as usize {
        return COPY;
    }
    number(read)
}

/// What [`parse_skb`] returns where the headers go on beyond the linear part:
/// [`parse_copied`] can read them. Not called from there, for the sake of the
/// stack.
const COPY: u32 = u32::MAX;

/// The same of an skb's first bytes, copied.
#[inline(never)]
fn parse_copied<S: Source>(context: *mut __sk_buff, egress: u32) -> u32 {
    let context = &TcContext::new(context);
    let Some(segment) = scratch() else {
        return Skip::Runt as u32;
    };
    let facts = facts::<S>(context, egress != 0);
    number(read_copied(context.skb.skb, &facts, segment))
}

/// What an skb says of itself.
#[inline(always)]
fn facts<S: Source>(context: &TcContext, egress: bool) -> Context {
    let (time, home) = S::skb(context, egress);
    // SAFETY: the context of the running program.
    let segments = unsafe { (*context.skb.skb).gso_segs };
    Context {
        time: opaque(time),
        home,
        marks: if egress { mark::EGRESS } else { 0 },
        packets: if segments > 1 { segments as u16 } else { 1 },
        length: context.len(),
        // Of several in one, hardware may have left the checksum of the first.
        verify_checksum: !egress && segments <= 1,
        ..Context::default()
    }
}

/// The same value. Where the compiler knows that it is 0, it writes it and the
/// zeros beside it by a call of `memset`, which BPF has only byte by byte.
#[inline(always)]
fn opaque(mut value: u64) -> u64 {
    // SAFETY: changes nothing in a register.
    unsafe { asm!("{0} |= 0", inout(reg) value, options(pure, nomem, nostack)) };
    value
}

/// The innermost packet, if tunnels are followed and there is one: offset << 16
/// | EtherType; otherwise 0.
#[inline(always)]
fn peel(packet: Linear) -> u64 {
    let follow = FOLLOW.load() as u16;
    if follow == 0 {
        return 0;
    }
    inside(packet, follow)
}

/// [`peel`], a sub-program for the sake of its stack.
#[inline(never)]
fn inside(packet: Linear, follow: u16) -> u64 {
    const ETHERNET: usize = 14;
    let Some(kind) = packet.array(ETHERNET - 2) else {
        return 0;
    };
    let kind = u16::from_be_bytes(kind);
    let (offset, inner) = tunnel::innermost(packet, ETHERNET, kind, tunnel::Follow(follow));
    if offset == ETHERNET {
        return 0;
    }
    (offset as u64) << 16 | u64::from(inner)
}

/// The two parts of what [`peel`] returns.
#[inline(always)]
fn place(packet: Linear, peeled: u64) -> (usize, u16) {
    let kind = peeled as u16;
    (
        packet.forget((peeled >> 16) as usize, u32::from(kind)),
        kind,
    )
}

#[inline(always)]
fn number(parsed: Result<(), Skip>) -> u32 {
    match parsed {
        Ok(()) => 0,
        Err(skip) => skip as u32,
    }
}

/// Whether a guard drops it.
#[inline(always)]
fn finish(skip: u32, near: u32) -> bool {
    if skip != 0 {
        count_nth(counters::SKIP, skip);
    } else if (!Maps.level().is_closing() || is_wanted() != 0)
        && filter::admits()
        && let Some(segment) = scratch()
    {
        if segment.time == 0 {
            stamp(segment);
        }
        if segment.has(mark::ODD_FLAGS) {
            Maps.count(counters::ODD_FLAGS);
        }
        return driver::observe_any(&Maps, segment, near);
    }
    false
}

/// [`driver::is_wanted`] of the segment in SCRATCH, a function that the verifier
/// walks once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn is_wanted() -> u32 {
    scratch().map_or(0, |segment| u32::from(driver::is_wanted(&Maps, segment)))
}

/// Full resolution costs more than the parse: it is for what is reported.
#[inline(always)]
fn stamp(segment: &mut Segment) {
    if segment.flags.any(Flags::SYN | Flags::FIN | Flags::RST) {
        // SAFETY: no arguments.
        segment.time = unsafe { bpf_ktime_get_ns() };
    } else {
        segment.time = coarse();
        segment.marks |= mark::COARSE_TIME;
    }
}

/// Time passes for the slots that the "packet" names
/// ([`termination_common::exchange`]); run by BPF_PROG_TEST_RUN only.
#[inline(always)]
pub fn sweep(context: &XdpContext) -> u32 {
    let (data, end) = (context.data(), context.data_end());
    if data + size_of::<SweepHeader>() > end {
        return xdp_action::XDP_ABORTED;
    }
    // SAFETY: a whole header is within the packet, checked above.
    let count = unsafe { (*core::ptr::with_exposed_provenance::<SweepHeader>(data)).count };
    let mut frame = context.as_ptr();
    // SAFETY: the callback has the type that bpf_loop wants, and `frame` lives
    // as long as the call.
    unsafe {
        bpf_loop(
            count.min(SWEEP_BATCH as u32),
            one as *mut c_void,
            (&raw mut frame).cast(),
            0,
        );
    }
    xdp_action::XDP_PASS
}

const _: () = assert!(size_of::<SweepRequest>() == 1 << 4);

/// One request of the batch: bpf_loop's callback.
extern "C" fn one(index: u32, frame: *mut *mut c_void) -> i64 {
    // SAFETY: `sweep` passes the address of its context pointer.
    let context = XdpContext::new(unsafe { (*frame).cast::<xdp_md>() });
    let (data, end) = (context.data(), context.data_end());
    if index >= SWEEP_BATCH as u32 || data + size_of::<SweepHeader>() > end {
        return 1;
    }
    let header = core::ptr::with_exposed_provenance::<SweepHeader>(data);
    let mut offset = u64::from(index);
    // SAFETY: arithmetic on a register. Out of the compiler's sight, which
    // would drop the mask that the verifier needs to see as the bound.
    unsafe {
        asm!("{0} &= 255", "{0} <<= 4", inout(reg) offset, options(pure, nomem, nostack));
    }
    let offset = size_of::<SweepHeader>() + offset as usize;
    let place = data + offset;
    if place + size_of::<SweepRequest>() > end {
        return 1;
    }
    let request = core::ptr::with_exposed_provenance_mut::<SweepRequest>(place);
    // SAFETY: header and request are within the packet, checked above, plain
    // data, and nobody else's while the program runs.
    unsafe {
        let operation = Operation::from_number((*header).operation);
        let timers: &Timers = &(*header).timers;
        (*request).status = driver::sweep(&Maps, (*request).id, operation, (*header).now, timers);
    }
    0
}
