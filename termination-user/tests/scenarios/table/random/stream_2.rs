//! Of engine/stream.rs and what it calls.

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "random_702",
        "stream.rs, pure &&! fresh &&flags.ack() alone, without && mine.is(bit::ACK)",
        "isn R 4294967295
         O S 0 ws=11 ts=4294966323/0
         R SA 0 1 ws=9 ts=4294966302/0
         O A 1 1 ts=4294966330/0
         R R 2",
        &["established", "live established"],
    )
    .needs_hooks(),
    scenario(
        "random_50b",
        "stream.rs, ! fresh &&other.is(bit::ACK) alone, without && segment.seq == ot",
        "isn R 0
         O A 1 1 ts=4294966309/0
         R PA 1+881 1 ts=4294966316/0
         R A 1 1 ts=4294966309/0
         wait 5958665ms",
        &["live established"],
    ),
    scenario(
        "random_1243",
        "stream.rs, after(end, mine.sent) alone, without || fresh",
        "isn R 4294967295
         O S 0 win=512 fragment
         pass 4927ms
         O PA -271+271 1
         pass 42442ms
         R PA -1901+929 -271",
        &["live established retransmits=1/0 history=SDTd unanswered=0/0"],
    ),
    scenario(
        "random_3170",
        "stream.rs, bits for bits | bit::BACKLOG",
        "isn O 4294965352
         isn R 4294965249
         O A 1 1 ts=4294966316/0
         R A 25 1 ts=4294966323/0
         R PA 25+1288 1 ts=4294966330/0
         O R 1 win=0",
        &[
            "half_open_discovered_by_data by=originator phase=midstream verdict=exact cause=no_connection evidence=wire_strong",
        ],
    ),
    scenario(
        "random_3257",
        "stream.rs, fact::ESTABLISHED for fact::ESTABLISHED | fact::MIDSTREAM",
        "isn O 4294957615
         O A 1 1
         O PA 8456+7520 -384 ts=4294966309/0
         R PA -385+386 9681 ts=4294966302/0",
        &["live established history=ADd"],
    ),
    scenario(
        "random_3402",
        "stream.rs, after(segment.seq, mine.sent) alone, without && ! fresh",
        "O S 0 ws=10
         O PA 1+1017 1 win=0
         pass 1ms
         R PA 3058+414 1
         O A 1018 3058 win=0",
        &["live established history=SDWdA"],
    ),
    scenario(
        "random_54b",
        "stream.rs, ! flags.fin() alone, without segment.payload == 1 &&",
        "isn R 4294966709
         R A 1 1 win=0
         O A 332 -2149 win=0
         O PA 1+331 -2149 win=0",
        &["live established retransmits=1/0"],
    ),
    scenario(
        "random_33d",
        "stream.rs, != for ==: other.window, 0",
        "isn O 4294966998
         O A 1 1
         R A 31166 29672 fragment
         pass 318632ms
         R FA 1370 1
         O FA 1 1
         pass 1ms
         O A 952+1 1371",
        &[
            "implausible",
            "implausible",
            "live half_closed retransmits=1/0",
        ],
    ),
    scenario(
        "random_887",
        "stream.rs, <= for <: mine.segments, SYN_PAYLOAD",
        "isn O 0
         isn R 4294964471
         R S 0+30 ws=0 ts=4294966302/0
         pass 1ms
         R A 962 1 ts=4294966323/0
         R A 962 19214 ts=4294966330/0
         R A 962 19214 ts=4294966330/0
         R PA 962+134 19214 ts=4294966337/0",
        &["live established history=SA"],
    ),
    scenario(
        "random_634",
        "stream.rs, bit::UNANSWERED for bit::UNANSWERED | bit::PROBED",
        "isn R 0
         O S 0 ws=9
         R SA 0 1 ws=1
         O A 0+1 1
         R A 1 1
         pass 5640120ms
         R PA 1+683 956
         O A 33547 684 sack=1655-1656
         O PA 956+32590 1
         wait 3801794ms",
        &[
            "implausible",
            "implausible",
            "half_open_silent by=responder phase=first_data cause=retransmit_timeout evidence=wire_weak",
        ],
    ),
    scenario(
        "random_4871",
        "stream.rs, flags.ack() alone, without && segment.window == 0",
        "isn O 4294967295
         R PA 1+331 1
         O A 2 676
         R PA 332+344 2
         pass 1ms
         O A 3 2",
        &["implausible", "live established history=^dA"],
    ),
    scenario(
        "random_54c",
        "stream.rs, closed alone, without && ! flow.half(y).is(bit::FIN)",
        "isn O 0
         isn R 4294964559
         O FA 1 1
         R A 2151 1 win=0",
        &["live half_closed history=Fa"],
    ),
    scenario(
        "random_389",
        "stream.rs, equal too: after(ack, flow.cold_half(y).isn)",
        "R S 0 ws=7
         O S 0 ws=7
         O PA 1+361 1879048192
         R A 1 362",
        &["implausible", "implausible", "live syn_received"],
    ),
    scenario(
        "random_62b",
        "stream.rs, >= for >: window, 0",
        "isn O 4294965320
         R S 0 ts=4294966309/0
         pass 1051ms
         O SA 0 1 ts=4294966316/0
         O A 1 1 win=0 ts=4294966323/0
         R RA 1879046931 1 win=0",
        &[
            "rst_rejected by=originator verdict=future",
            "live syn_received",
        ],
    ),
];
