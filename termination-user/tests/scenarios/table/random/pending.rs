//! Of engine/pending.rs and what it calls.

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "random_19",
        "decide.rs, repeats alone, without pending::side(pending) == y &&",
        "isn O 4294967295
         R A 1 1 ts=4294966309/0
         R S -48383 win=512 fragment
         R A 1 1 ts=4294966323/0 sack=465-466",
        &["live established"],
    ),
    scenario(
        "random_631",
        "decide.rs, it . wrapping_add (__right) for segment.tick().wrapping_sub(pend",
        "O A 1 1 win=8468
         pass 3993ms
         O A 1 1 win=8468
         R FA 1 1
         R RA 16136 1",
        &[
            "rst_rejected by=responder verdict=in_window",
            "live half_closed",
        ],
    ),
    scenario(
        "random_290",
        "decide.rs, without flow.unpend();",
        "isn O 4294966529
         isn R 4294967295
         O A 1 1 sack=0-1
         R A 1 767
         O FA 39798 1
         O PA 39799+850 1",
        &[
            "implausible",
            "implausible",
            "live half_closed bytes=39797/0 segments=2/0 segments_after=0/0 seen=midstream history=AF",
        ],
    ),
    scenario(
        "random_69",
        "decide.rs, pending.detail for pending.detail & pending::GAP_BY_ACK",
        "R S 0+115 ws=2
         O PA 1+1176 1879048192
         R A 116 -119
         O A 1177 116",
        &["implausible", "established", "live established lost=0/1296"],
    ),
    scenario(
        "random_2529",
        "decide.rs, flow.state.is(fact::PENDING) always",
        "R S 0 ws=13
         R PA 101+37118 1
         R PA 73664+803 1
         R PA 37219+36445 1
         O A 1 73664
         O A 1 73664",
        &["live established history=SDTa"],
    ),
    scenario(
        "random_687",
        "pending.rs, << for >>: pending.detail, WINDOW_SHIFT",
        "O SA 0 1 win=512
         pass 3162ms
         R S 1 ws=7 ts=4294966302/0
         O SA 60671 2 ts=4294966309/0
         R A 2 60672 ts=4294966309/0
         O PA 60672+786 2 ts=4294966316/0",
        &[
            "superseded by=originator phase=syn_received",
            "established",
            "live established",
        ],
    ),
    scenario(
        "random_2860",
        "pending.rs, pending.detail for pending.detail & SCALED",
        "R A 1 1 ts=4294966309/0
         O S 1 win=512
         O R 1 win=0
         O PA 1+336 1 ts=4294966323/0
         R A 1103 1 ts=4294966337/0",
        &[
            "half_open_discovered_by_syn by=originator phase=midstream verdict=unverifiable cause=bad_ack evidence=wire_strong",
            "established",
            "live established",
        ],
    ),
    scenario(
        "random_36",
        "pending.rs, + for -: (1 << GAP_ACK_SHIFT), 1",
        "R PA 1+1239 1
         O PA 1+56081 1240
         R FA 1240 56083
         O A 56083 1241",
        &[
            "implausible",
            "implausible",
            "live half_closed lost=0/0 history=^dDGgfA",
        ],
    ),
    scenario(
        "random_74",
        "pending.rs, << for >>: low.wrapping_sub(about << GAP_ACK_SHIFT).cast_signed",
        "isn R 4294967295
         R S 0 ws=12 ts=4294966302/0
         O S 0 ws=2 ts=4294966330/0
         R PA 1+737 1342168140 ts=4294966316/0
         O A 1 738 ts=4294966337/0
         R PA 738+116 1342168140 ts=4294966323/0
         O A 1 854 ts=4294966344/0",
        &[
            "implausible",
            "implausible",
            "implausible",
            "implausible",
            "live syn_received bytes=853/0 segments=1/3",
        ],
    ),
    scenario(
        "random_471",
        "pending.rs, it . wrapping_sub (__right) for about.wrapping_add(ahead.cast_u",
        "O S 0 ws=9 ts=4294966344/0
         R A 1 1 win=0 ts=4294966337/0
         O PA 1+1069 90274884 ts=4294966351/0
         R A 1 1070 win=0 ts=4294966344/0
         R A 1 1070 win=42481 ts=4294966351/0",
        &["implausible", "implausible", "live syn_sent history=SawG"],
    ),
];
