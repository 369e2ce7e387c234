//! Of engine/stream.rs and what it calls.

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "random_20b",
        "stream.rs, without flow.half(x).wraps = u16::from(segment.seq == 0);",
        "isn R 4294967295
         R PA 1+56 1",
        &["live established bytes=0/56 lost=-/-"],
    ),
    scenario(
        "random_36b",
        "stream.rs, pure &&! fresh &&flags.ack() &&mine.is(bit::ACK) alone, without ",
        "O FA 1 1
         R PA 1+1239 2
         O PA 2+56081 1240
         R A 1239 2
         R A 1240 56083",
        &[
            "implausible",
            "implausible",
            "live established segments=1/3 lost=0/0 seen=midstream+gaps history=FdaG",
        ],
    ),
    scenario(
        "random_746",
        "stream.rs, equal too: before(segment.seq, mine.sent)",
        "isn O 4294967294
         isn R 4294967295
         O PA 1+1336 1 ts=4294966302/0
         R A 0 2 ts=4294966302/0 sack=0-1
         R A 0 2 ts=4294966309/0
         wait 312778ms",
        &["live established"],
    ),
    scenario(
        "random_894",
        "stream.rs, after(mine.sent, other.acked) alone, without other.is(bit::ACK) ",
        "O PA 1+1283 1
         R R 1 win=0
         wait 10597ms",
        &[
            "reset by=responder phase=midstream verdict=unverifiable cause=no_connection evidence=wire_weak",
        ],
    ),
    scenario(
        "random_40",
        "stream.rs, bit::BACKLOG for bits | bit::BACKLOG",
        "R S 0 ws=13 ts=4294966400/0
         R PA 2+56723 1 ts=4294966414/0
         O A 100002 56725 ts=4294966400/0
         R PA 56726+126 100002 win=0 ts=4294966442/0
         pass 66512ms
         R PA 56852+8248 100002 win=0 ts=4294966449/0
         O A 200004 65100 ts=4294966435/0",
        &["established", "live established history=SDaWG"],
    ),
    scenario(
        "random_33c",
        "stream.rs, fact::ESTABLISHED | fact::MIDSTREAM for fact::ESTABLISHED | fact",
        "isn O 4294966998
         isn R 4294967295
         R S 0
         O SA 0 1
         R PA 1+100 1
         R A 31266 29672 fragment
         pass 318632ms
         O PA 2+951 101
         O FA 1 101
         O A 953 101",
        &[
            "implausible",
            "implausible",
            "live established bytes=100/29671 segments=2/4 lost=0/0 history=ShDdfga",
        ],
    ),
    scenario(
        "random_186",
        "stream.rs, flow.state.is(fact::FIN) alone, without && other.is(bit::FIN)",
        "R FA 1 1
         O A 1 765
         R PA 1488+24858 1
         O FA 1 26346",
        &["implausible", "implausible", "live half_closed after=0/0"],
    ),
    scenario(
        "random_10c",
        "stream.rs, it . wrapping_add (__right) for mine.sent.wrapping_sub(1)",
        "isn O 4294965925
         isn R 4294966588
         O A 1 1
         R PA 2+784 1
         O A 0+1 1",
        &["live established retransmits=0/0"],
    ),
    scenario(
        "random_107b",
        "stream.rs, probe alone, without && (other.acked == mine.sent || other.windo",
        "R FA 1 1
         O PA 1+8944 2
         O A 8944+1 2",
        &["live half_closed retransmits=1/0"],
    ),
    scenario(
        "random_7b",
        "stream.rs, bits &bit::UNANSWERED != 0 alone, without && other.is(bit::SEEN)",
        "R A 1 1 ts=4294966302/0 sack=0-1
         R A 0+1 1 ts=4294966309/0
         pass 9ms
         R PA -1878810447+1255 2 ts=4294966449/0",
        &["live established seen=midstream+one_sided"],
    ),
    scenario(
        "random_1161",
        "stream.rs, ! flow.state.is(fact::FIN) alone, without segment.has(mark::SACK",
        "O A 1 1 ts=4294966379/0 sack=0-1
         pass 42632ms
         O A 1+287 240
         R RA 1 1 ts=4294966372/0",
        &[
            "reset by=responder phase=midstream verdict=train cause=active_abort evidence=wire_strong",
        ],
    ),
    scenario(
        "random_21b",
        "stream.rs, flags.ack() &&segment.window == 0 alone, without && flow.half(x)",
        "O FA 1 1
         pass 8ms
         O FA 536873039 -451543255 win=0",
        &["live half_closed history=F"],
    ),
    scenario(
        "random_1728",
        "stream.rs, >= for >: segment.payload, 0",
        "isn R 0
         O SA 0 1 win=512
         O A 1212754352 1",
        &["live syn_received"],
    ),
    scenario(
        "random_0d",
        "stream.rs, after(ack, flow.cold_half(y).isn) alone, without other &(bit::SY",
        "O PA 1+819 1
         R A 1 820
         R RA 1 820
         O S 101437 ws=2
         R A 630 101438
         O A 101438 630",
        &[
            "reset by=responder phase=midstream verdict=exact cause=active_abort evidence=wire_strong",
            "live syn_sent",
        ],
    ),
];
