//! The parser of frames and tunnels: any bytes, read as a kernel would and as
//! a trimmed capture.

#![no_main]

use libfuzzer_sys::fuzz_target;
use termination_common::{
    segment::Segment,
    tuple::Tuple,
    wire::{self, Context, Skip, ethertype, tunnel},
};

type Parsed = Result<Segment, Skip>;

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, frame)) = bytes.split_first() else {
        return;
    };
    let context = Context {
        time: 1,
        home: 2,
        packets: 1,
        length: frame.len() as u32,
        trimmed: first & 1 != 0,
        verify_checksum: first & 2 != 0,
        ..Context::default()
    };
    match first >> 2 & 3 {
        0 => ethernet(frame, &context),
        1 => check(parse(&context, |context, segment| {
            wire::ip(frame, 0, context, segment)
        })),
        _ => innermost(frame, first, &context),
    }
});

/// A parse that fails leaves the segment alone; one that succeeds, writes all.
fn parse(context: &Context, parser: impl Fn(&Context, &mut Segment) -> Result<(), Skip>) -> Parsed {
    let mut empty = Segment::default();
    let mut full = Segment {
        payload: u32::MAX,
        marks: u16::MAX,
        tsval: u32::MAX,
        ..Segment::default()
    };
    let before = full;
    let (one, other) = (parser(context, &mut empty), parser(context, &mut full));
    assert_eq!(one, other);
    match one {
        Ok(()) => assert_eq!(empty, full),
        Err(_) => assert_eq!((empty, full), (Segment::default(), before)),
    }
    one.map(|()| empty)
}

fn ethernet(frame: &[u8], context: &Context) {
    let parsed = parse(context, |context, segment| {
        wire::ethernet(frame, context, segment)
    });
    check(parsed);
    // What a receiver can read whole, a trimmed capture can.
    if let Ok(segment) = parsed {
        let trimmed = Context {
            trimmed: true,
            ..*context
        };
        let again = parse(&trimmed, |context, segment| {
            wire::ethernet(frame, context, segment)
        });
        assert_eq!(again, Ok(segment));
    }
    // Padding behind whole headers says nothing; a checksum may need what it
    // stands for.
    let unverified = Context {
        trimmed: false,
        verify_checksum: false,
        ..*context
    };
    let parse = |frame: &[u8]| {
        parse(&unverified, |context, segment| {
            wire::ethernet(frame, context, segment)
        })
    };
    if let Ok(segment) = parse(frame) {
        assert_eq!(parse(&[frame, &[0xa5; 9]].concat()), Ok(segment));
    }
}

fn innermost(frame: &[u8], first: u8, context: &Context) {
    let follow = if first & 0x10 != 0 {
        tunnel::Follow::ALL
    } else {
        tunnel::Follow(u16::from(first >> 4) << 1 | 1)
    };
    let kind = match first >> 5 {
        0 | 1 => ethertype::IPV4,
        2 => ethertype::IPV6,
        3 => ethertype::MPLS,
        4 => ethertype::PPPOE,
        5 => ethertype::VLAN,
        6 => ethertype::BRIDGED,
        _ => 0,
    };
    let (offset, kind) = tunnel::innermost(frame, 0, kind, follow);
    check(parse(context, |context, segment| {
        wire::by_ethertype(frame, offset, kind, context, segment)
    }));
}

/// What holds of any segment.
fn check(parsed: Parsed) {
    let Ok(segment) = parsed else { return };
    let flags = segment.flags;
    assert!(flags.syn() || flags.rst() || flags.ack());
    assert!(!(flags.syn() && flags.fin()) && !(flags.rst() && (flags.syn() || flags.fin())));
    assert!(segment.payload <= 0xffff);
    assert!(segment.options_length <= 40 && segment.options_length % 4 == 0);
    assert!(segment.window_scale <= 14 && segment.sender <= 1);
    assert!(segment.packets == 1 && segment.reserved == 0);
    let (one, other) = (segment.tuple.endpoint(0), segment.tuple.endpoint(1));
    let again = Tuple::new(one, other, segment.tuple.family(), segment.tuple.zone());
    assert_eq!(again, Some((segment.tuple, 0)));
}
