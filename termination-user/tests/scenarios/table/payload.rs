//! Payload, acks and probes: what counts as what.

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "met_where_numbers_wrap",
        "the first segment is the one after the last number",
        "isn R 4294967295
         R PA 1+56 1",
        &["live established bytes=0/56 lost=-/-"],
    ),
    scenario(
        "keepalive_with_a_byte",
        "one below what was acked, with the byte that is there: no retransmission",
        "open
         R A 1 1
         O A 0+1 1",
        &["live established retransmits=0/0 unanswered=1/0 history=ShAaDT"],
    ),
    scenario(
        "keepalive_behind_a_hole",
        "R has sent beyond what O acks; O's byte is one below all that it sent \
         itself",
        "O A 1 1
         R PA 2+784 1
         O A 0+1 1",
        &["live established retransmits=0/0"],
    ),
    scenario(
        "last_byte_again",
        "while it is not acked that is a retransmission, of whatever length",
        "open
         R A 1 1
         O PA 1+100 1
         O PA 100+1 1",
        &["live established retransmits=1/0"],
    ),
    scenario(
        "last_byte_again_after_a_fin",
        "the same to an end that has closed",
        "R FA 1 1
         O PA 1+8944 2
         O A 8944+1 2",
        &["live half_closed retransmits=1/0"],
    ),
    scenario(
        "payload_again_into_a_closed_window",
        "more than a byte asks for no window",
        "R A 1 1 win=0
         O A 332 -2149 win=0
         O PA 1+331 -2149 win=0",
        &["live established retransmits=1/0"],
    ),
    scenario(
        "keepalive_is_the_first_word",
        "below what the other end had acked by then: it asks, and nobody answers",
        "O PA 1+1336 1
         R A 0 2
         R A 0 2
         wait 312s",
        &["half_open_silent by=originator phase=midstream bytes=1336/0"],
    ),
    scenario(
        "old_ack_asks_nothing",
        "below what was sent, and not one below what was acked",
        "O A 1 1
         R PA 1+881 1
         R A 1 1
         wait 5958s",
        &["live established"],
    ),
    scenario(
        "first_payload_below_the_syn",
        "O's first payload is below its SYN: sent before, and R has answered",
        "O S 0 win=512 fragment
         O PA -271+271 1
         R PA -1901+929 -271",
        &["live established retransmits=1/0 history=SDTd unanswered=0/0"],
    ),
    scenario(
        "acks_grow_of_an_end_never_seen",
        "R acks more and more of O, who passes elsewhere",
        "R A 1 1
         R PA 1+100 51",
        &["live established seen=midstream+one_sided"],
    ),
    scenario(
        "one_sided_is_not_suspected",
        "who is not seen is not called silent",
        "R A 1 1
         R PA 1+10 1
         wait 11s
         R PA 1+10 1
         wait 20s
         R PA 1+10 1",
        &["live established seen=midstream"],
    ),
    scenario(
        "closed_window_of_an_old_ack",
        "was opened since",
        "open
         R PA 1+10 1
         O A 1 11
         O A 1 1 win=0",
        &["live established history=ShAd"],
    ),
    scenario(
        "open_window_of_an_old_ack",
        "whose window is not known yet is not called closed",
        "R PA 1+331 1
         O A 2 676
         R PA 332+344 2
         O A 3 2",
        &["implausible", "live established history=^dA"],
    ),
    scenario(
        "closed_window_of_who_has_closed",
        "what the peer has closed needs no window",
        "O FA 1 1
         R A 2151 1 win=0",
        &["live half_closed history=Fa"],
    ),
    scenario(
        "bare_ack_of_a_syn",
        "R's SYN-ACK was missed; O has not acked it yet",
        "O S 0 ws=7
         R A 630 1",
        &["live syn_received bytes=0/0 seen=gaps"],
    ),
    scenario(
        "implausible_ack_of_a_syn",
        "in a simultaneous open O acks what R never sent: neither SYN is acked, \
         nor both",
        "R S 0 ws=7
         O S 0 ws=7
         O PA 1+361 1879048192
         R A 1 362",
        &["implausible", "implausible", "live syn_received"],
    ),
    scenario(
        "probe_then_answered_late",
        "a window probe was answered: who waits then is silent by its own timer",
        "O S 0 ws=9
         R SA 0 1 ws=1
         O A 0+1 1
         R A 1 1
         pass 5640s
         R PA 1+683 956
         O A 33547 684
         O PA 956+32590 1
         wait 3801s",
        &[
            "established",
            "implausible",
            "implausible",
            "half_open_silent by=responder phase=first_data cause=retransmit_timeout \
             evidence=wire_weak",
        ],
    ),
    scenario(
        "fin_below_what_was_acked_at_first",
        "the other FIN acks it, and so it was the first, however late it is seen",
        "R A 1 1
         O FA 2743+54 1
         R FA 0 1
         wait 64s",
        &["graceful_unconfirmed by=responder phase=closing"],
    ),
    scenario(
        "fin_again_is_no_payload_again",
        "Zeek has no letter for that",
        "open
         O FA 1 1
         O FA 1 1",
        &["live half_closed retransmits=1/0 history=ShAF"],
    ),
    scenario(
        "backlog_leaves_the_rest",
        "payload behind payload: what is known of the window stays",
        "O S 0 ws=14
         R SA 0 1 ws=7
         O A 1 1
         O PA 1+100 1
         O PA 101+100 1
         R PA 200001+100 201",
        &["established", "live established bytes=200/200100"],
    ),
    scenario(
        "window_that_grew",
        "counts as offered",
        "open
         O A 1 1 win=2000
         R PA 200001+100 1",
        &["live established bytes=0/200100"],
    ),
    scenario(
        "byte_of_old_payload_again",
        "is no keepalive: it is not the last one",
        "open
         O PA 1+100 1
         R A 1 101
         O A 51+1 1",
        &["live established retransmits=1/0"],
    ),
    scenario(
        "bytes_between_acks",
        "what only the sequence numbers tell",
        "R A 1 1
         R A 101 1",
        &["live established bytes=0/100"],
    ),
];
