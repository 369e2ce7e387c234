//! Of engine/reset.rs and what it calls.

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "random_287",
        "cause.rs, None for Some(Cause::BadAck)",
        "R S 0 ws=6
         R R 1 win=0",
        &["cancelled by=originator phase=syn_sent verdict=train cause=bad_ack evidence=wire_strong"],
    ),
    scenario(
        "random_84",
        "cause.rs, segment.seq == mine.sent alone, without only_syn_acks(flow, x) &&",
        "O S 0 ws=0 ts=4294966344/0
         R A 1 1 ts=4294966330/0
         O PA 1+375 1 ts=4294966351/0
         R R 1 win=0",
        &["refused by=responder phase=syn_sent verdict=exact cause=bad_ack evidence=wire_strong"],
    ),
    scenario(
        "random_383",
        "cause.rs, only_syn_acks(flow, x) alone, without && segment.seq == mine.sent",
        "O SA 0 1 win=512
         O R -60050 win=0
         wait 6237076ms",
        &["handshake_aborted by=responder phase=syn_received verdict=unverifiable cause=bad_ack evidence=wire_weak"],
    ),
    scenario(
        "random_425",
        "reset.rs, other.is(bit::ACK) alone, without ! segment.flags.ack() &&",
        "isn R 4294967295
         O S 0+230 win=512
         O A -31679 1 ts=4294966302/0
         O S -31679 ws=1 ts=4294966316/0
         R A 2 -31678 ts=4294966330/0
         pass 30413ms
         O RA -31678 2 ts=4294966323/0",
        &["established", "live established bytes=230/1 lost=230/1"],
    ).needs_hooks(),
    scenario(
        "random_395",
        "reset.rs, ! segment.flags.ack() alone, without && other.is(bit::ACK)",
        "isn O 4294967295
         R FA 1 1 ts=4294966302/0
         R S 101090 ts=4294966323/0
         R R 2 win=0",
        &["live half_closed"],
    ).needs_hooks(),
    scenario(
        "random_44",
        "reset.rs, without && segment.flags.ack()",
        "isn O 4294967295
         O SA 0 1 ws=12
         R S -1879048191 ws=8
         O R 68960",
        &["live syn_received"],
    ).needs_hooks(),
    scenario(
        "random_19b",
        "reset.rs, without && segment.ack == kept.value.wrapping_add(1)",
        "R S 0 ws=0 ts=4294966372/0
         pass 1ms
         R S 101725 ws=0 ts=4294966414/0
         O RA 1+874 768309295",
        &["rst_rejected by=responder verdict=syn_sent_bad", "live syn_sent"],
    ),
    scenario(
        "random_20",
        "reset.rs, bit::SYN for bit::SYN | bit::SYN_ACKED",
        "R S 0 ws=9
         O A 1 1
         pass 37629ms
         O R 8696",
        &["live syn_sent"],
    ).needs_hooks(),
    scenario(
        "random_208",
        "reset.rs, other.bits &(bit::SYN | bit::SYN_ACKED | bit::ACK) == bit::SYN al",
        "O FA 1 1
         R FA 1 2
         O A 2 2
         pass 5193256ms
         O S 163743 ws=13
         R S -1878947666+147 win=512
         R RA -1878947666 99652",
        &["graceful by=originator phase=closing holder=originator", "time_wait expired", "rst_rejected by=responder verdict=old", "live syn_received"],
    ),
    scenario(
        "random_902b",
        "reset.rs, equal too: after(segment.ack, isn)",
        "O PA 1+149 1
         R A 1257 1
         O RA 150 1257
         O S 150+1126 win=512
         R RA 1257 150",
        &["reset by=originator phase=midstream verdict=train cause=active_abort evidence=wire_strong", "rst_rejected by=responder verdict=syn_sent_bad", "live syn_sent"],
    ),
    scenario(
        "random_585",
        "reset.rs, after(segment.ack, isn) alone, without segment.flags.ack() &&",
        "O S 0 ts=4294966309/0
         R RP 1",
        &["rst_rejected by=responder verdict=syn_sent_bad", "live syn_sent"],
    ),
    scenario(
        "random_0b",
        "reset.rs, bit::SEEN for bit::SEEN | bit::SYN",
        "R S 0+102
         pass 5113555ms
         R A -1879048088 1
         O R 1 win=0",
        &["established", "handshake_aborted by=responder phase=first_data verdict=exact cause=handshake_rejected evidence=wire_strong"],
    ).needs_hooks(),
    scenario(
        "random_19c",
        "reset.rs, acked_known alone, without sent_known &&",
        "isn O 4294967294
         O PA 1+465 1 ts=4294966302/0
         pass 31285ms
         R R 1 win=0",
        &["live established"],
    ).needs_hooks(),
    scenario(
        "random_22",
        "reset.rs, ! flow.state.is(fact::FIN) &&edge != 0 alone, without && seq == e",
        "isn O 0
         R A 1 1 sack=0-1
         pass 1ms
         O R 536870915 win=0",
        &["live established"],
    ).needs_hooks(),
    scenario(
        "random_795",
        "reset.rs, in_window(seq, other.acked, window(&other)) alone, without seq ==",
        "isn O 4294967295
         R S 0 ws=0
         R A 1320 1 win=0
         pass 4ms
         O A 33250 1
         O R 1 win=0",
        &["established", "live established"],
    ).needs_hooks(),
    scenario(
        "random_22b",
        "reset.rs, other.is(bit::SCALE_KNOWN) always",
        "isn O 0
         R A 1 1
         O A 1 1 win=31037
         pass 10469ms
         O R 536870915 win=0",
        &["live established"],
    ).needs_hooks(),
    scenario(
        "random_2124",
        "reset.rs, reply alone, without ! originator &&",
        "R S 0 win=512
         O S 0 ws=14 ts=4294966302/0
         R SA 0 1 ws=1 ts=4294966302/0
         O A 1 1 ts=4294966309/0
         R R 1 win=0",
        &["established", "reset by=originator phase=established_no_data verdict=exact cause=no_connection evidence=wire_strong"],
    ),
    scenario(
        "random_411b",
        "reset.rs, ! originator alone, without && reply",
        "isn O 0
         isn R 4294967295
         O S 0 ts=4294966302/0
         O A 1 1 ts=4294966309/0
         R RA 1 142035351",
        &["established", "reset by=responder phase=established_no_data verdict=exact cause=active_abort evidence=wire_strong"],
    ),
    scenario(
        "random_242",
        "reset.rs, other.is(bit::ACK) alone, without reply &&",
        "O SA 0 1
         R A 1 1
         pass 44321ms
         R RA 1 1",
        &["established", "reset by=originator phase=established_no_data verdict=exact cause=active_abort evidence=wire_strong"],
    ),
    scenario(
        "random_1638",
        "reset.rs, reply alone, without && other.is(bit::ACK)",
        "isn O 4294967293
         isn R 4294967295
         O A 1+1 1 ts=4294966302/0
         pass 5187713ms
         O R 3 win=0
         wait 66695ms",
        &["reset by=originator phase=midstream verdict=unverifiable cause=no_connection evidence=wire_weak"],
    ),
    scenario(
        "random_54",
        "reset.rs, reply &&other.is(bit::ACK) alone, without && segment.seq == other",
        "isn R 4294964559
         O A 1 1 win=0
         O PA -330+331 1 win=0
         pass 2ms
         R RP 536973551+103 win=0
         wait 5689491ms",
        &["reset by=responder phase=midstream verdict=unverifiable cause=no_connection evidence=wire_weak"],
    ),
    scenario(
        "random_0c",
        "reset.rs, quiet >= settings.silent.cast_signed() alone, without mine.is(bit",
        "R S 0+102
         R A -1879048088 1
         pass 5113554ms
         R A -1879048088 2138
         O R 2138 win=0",
        &["established", "reset by=responder phase=first_data verdict=exact cause=no_connection evidence=wire_strong"],
    ),
    scenario(
        "random_1382",
        "reset.rs, bit::PURE_ACK for bit::PURE_ACK | bit::DATA",
        "isn O 4294965398
         isn R 4294967295
         R SA 0 1 ws=13
         R A 0+1 1
         R R 1 win=0",
        &["established", "reset by=responder phase=first_data verdict=train cause=no_connection evidence=wire_strong retransmits=0/1"],
    ),
    scenario(
        "random_3016",
        "timer.rs, ! state.is(fact::ONE_SIDED) always",
        "R S 0 ws=11
         pass 2ms
         R PA -1879047070+173 1
         wait 7615398ms",
        &["established", "live established"],
    ),
    scenario(
        "random_44b",
        "timer.rs, without * count = count.saturating_add(1);",
        "isn O 4294967295
         O FA 1 1
         O R 68960
         wait 40347ms",
        &["reset_after_own_fin by=originator phase=half_closed verdict=unverifiable evidence=wire_weak segments_after=1/0"],
    ),
    scenario(
        "random_1591",
        "timer.rs, retransmitted alone, without matches !(ending, Ending::HalfClosed",
        "O S 0 ws=12 ts=4294966400/0
         R A 1 1 ts=4294966358/0
         R A 0+1 1 ts=4294966365/0
         wait 6723899ms",
        &["unanswered by=responder phase=syn_sent"],
    ),
    scenario(
        "random_5086",
        "timer.rs, ASKED for ASKED | bit::FIN_ACKED",
        "R A 1 1
         O FA 2743+54 1
         R FA 0 1
         wait 63670ms",
        &["graceful_unconfirmed by=both phase=closing"],
    ),
];
