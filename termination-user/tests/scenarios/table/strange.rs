//! Midstream, lone segments, other places, odd flags.

use super::{Scenario, scenario};
use crate::language::Route;

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "lone_reset",
        "backscatter (13): one record, nothing live",
        "R RA 100 200 win=0",
        &[
            "reset by=responder phase=midstream verdict=unverifiable seen=midstream bytes=0/0 \
           segments=0/1 history=^r zeek=RSTRH lost=-/0",
        ],
    ),
    scenario(
        "lone_resets",
        "however many of them",
        "R R 100 win=0
         R R 100 win=0
         R R 100 win=0",
        &["reset by=responder phase=midstream verdict=unverifiable seen=midstream"],
    ),
    scenario(
        "lone_syn_and_rst",
        "RST wins over SYN: nothing opens",
        "O SR 0",
        &["reset by=originator phase=midstream verdict=unverifiable seen=midstream"],
    ),
    scenario(
        "midstream",
        "met after the handshake, closed gracefully; roles by ports",
        "R PA 1+10 1
         O A 1 11
         O FA 1 11
         R FA 11 2
         O A 2 12",
        &["graceful by=originator phase=closing holder=originator seen=midstream bytes=0/10"],
    ),
    scenario(
        "midstream_at_the_fin",
        "met at its first FIN",
        "O FA 1 1
         R FA 1 2
         O A 2 2",
        &["graceful by=originator phase=closing holder=originator seen=midstream"],
    ),
    scenario(
        "midstream_at_the_last_fin",
        "met at the second FIN: the first cannot be known",
        "R FA 1 2
         O A 2 2
         wait 3601s",
        &["half_closed_abandoned by=responder phase=half_closed seen=midstream"],
    ),
    scenario(
        "midstream_reset",
        "an exact RST of an end whose segments were seen",
        "O PA 1+10 1
         R A 1 11
         O RA 11 1",
        &[
            "reset by=originator phase=midstream verdict=exact cause=active_abort \
           evidence=wire_strong seen=midstream",
        ],
    ),
    scenario(
        "elsewhere",
        "the same segments on a second interface count once",
        "open
         O PA 1+100 1 home=16
         O PA 1+100 1
         O PA 1+100 1 home=16
         R A 1 101
         R A 1 101 home=16",
        &[
            "seen_elsewhere",
            "seen_elsewhere",
            "seen_elsewhere",
            "live established segments=3/2 retransmits=0/0 bytes=100/0",
        ],
    )
    .needs_hooks(),
    scenario(
        "moved",
        "a direction moves when its place has been silent for a second",
        "open
         wait 2s
         O PA 1+100 1 home=16
         O PA 101+100 1 home=16
         R A 1 201",
        &["live established bytes=200/0"],
    )
    .needs_hooks(),
    scenario(
        "reset_elsewhere",
        "an RST on another interface is a copy",
        "open
         O PA 1+100 1
         R A 1 101
         R RA 1 101 home=16",
        &["seen_elsewhere", "live established"],
    )
    .needs_hooks(),
    scenario(
        "syn_and_fin",
        "no implementation sends it; Linux drops it",
        "open
         O SF 0
         O SFA 1 1
         O PA 1+10 1",
        &["live established bytes=10/0"],
    ),
    scenario(
        "no_flags",
        "null, FIN without ACK, xmas: receivers drop these",
        "open
         O - 1+10
         O F 1
         O FPU 1
         O PU 1+5
         O PA 1+10 1",
        &["live established bytes=10/0 segments=3/1"],
    ),
    scenario(
        "fragment_alone",
        "that something is missing is said at once (16)",
        "open
         O PA 1+100 1 fragment",
        &["live established seen=gaps segments=3/1"],
    ),
    scenario(
        "fragment_then_more",
        "a first fragment of data: its end is unknown until it is acked (16)",
        "open
         O PA 1+1000 1 fragment
         R A 1 1601
         O PA 1601+100 1
         R A 1 1701",
        &["implausible", "live established bytes=1700/0 seen=gaps"],
    ),
    scenario(
        "tagged_reset",
        "an RST in tagged frames",
        "O S 0 ws=7 qinq
         R RA =0 1 win=0 qinq",
        &[
            "refused by=responder phase=syn_sent verdict=syn_sent_ok cause=no_listener \
           evidence=wire_strong",
        ],
    ),
    scenario(
        "super_segments",
        "wire segments are counted, not super-segments",
        "open
         O PA 1+60000 1 gso=42
         R A 1 60001
         O RA 60001 1",
        &[
            "reset by=originator phase=first_data verdict=exact cause=active_abort \
           evidence=wire_strong bytes=60000/0 segments=45/2",
        ],
    )
    .only(Route::Host),
    scenario(
        "elsewhere_and_an_rst_in_doubt",
        "what passes another hook as well still does while an RST waits",
        "open
         O PA 1+10 1 home=98
         R R 500 win=0",
        &["seen_elsewhere", "live established elsewhere=1"],
    )
    .needs_hooks(),
];
