//! RSTs where little is known, or where one number or flag makes the difference.

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "hole_behind_an_rst_in_doubt",
        "the RST waits first",
        "open
         R R 500 win=0
         O PA 101+100 1
         wait 4s",
        &[
            "reset by=responder phase=established_no_data verdict=in_window \
             cause=no_connection evidence=wire_weak",
        ],
    ),
    scenario(
        "believed_rst_after_a_fin",
        "is one of the segments after it",
        "O FA 1 1
         O R 500 win=0
         wait 4s",
        &[
            "reset_after_own_fin by=originator phase=half_closed verdict=unverifiable \
             evidence=wire_weak segments_after=1/0",
        ],
    ),
    scenario(
        "lone_syn_ack_and_ack_then_a_reset",
        "R has said more than its SYN-ACK: it does not reject a handshake",
        "R SA 0 1 ws=7
         R A 1 1
         R R 1 win=0",
        &[
            "handshake_aborted by=responder phase=syn_received verdict=train \
             cause=bad_ack evidence=wire_strong",
        ],
    ),
    scenario(
        "bare_ack_then_a_reset_elsewhere",
        "whether O has got R's SYN, which was missed, the ACK does not say",
        "O S 0 ws=7
         R A 1 1
         R R 8696",
        &["live syn_received seen=gaps"],
    )
    .needs_hooks(),
    scenario(
        "lone_syn_ack_then_a_reset_elsewhere",
        "not in step with the SYN-ACK: no handshake that R rejects",
        "R SA 0 1
         R R -60050 win=0
         wait 4s",
        &[
            "handshake_aborted by=responder phase=syn_received verdict=unverifiable \
             cause=bad_ack evidence=wire_weak",
        ],
    ),
    scenario(
        "refusal_of_neither_syn",
        "of two SYNs the RST acks none (RFC 9293 3.10.7.3)",
        "O S 0 ws=7
         O S 101725 ws=7
         R RA 0 77",
        &[
            "rst_rejected by=responder verdict=syn_sent_bad",
            "live syn_sent",
        ],
    ),
    scenario(
        "refusal_that_acks_no_syn",
        "an ack of the ISN alone",
        "O S 0+100 ws=7
         R RA 0 0",
        &[
            "rst_rejected by=responder verdict=syn_sent_bad",
            "live syn_sent",
        ],
    ),
    scenario(
        "simultaneous_open_and_an_old_rst",
        "both have said SYN: the RST goes by its number, not by its ack",
        "O S 0 ws=7
         R S 0+147
         R RA 0 -48",
        &["rst_rejected by=responder verdict=old", "live syn_received"],
    ),
    scenario(
        "simultaneous_open_and_an_rst_of_the_originator",
        "who opened as well does not reject a handshake",
        "O S 0 ws=7
         R S 0 ws=7
         O SA 0 1 ws=7
         R A 1 1
         O R 1 win=0",
        &[
            "established",
            "reset by=originator phase=established_no_data verdict=exact \
             cause=no_connection evidence=wire_strong",
        ],
    ),
    scenario(
        "midstream_train",
        "in step with what its sender has sent, not acked yet",
        "O PA 1+149 1
         R A 1257 1
         O RA 150 1257",
        &[
            "reset by=originator phase=midstream verdict=train cause=active_abort \
             evidence=wire_strong",
        ],
    ),
    scenario(
        "one_sided_handshake_rejected",
        "R is seen at its RST alone, which is in step with what O has acked",
        "O S 0+102 ws=7
         O A 103 1
         R R 1 win=0",
        &[
            "established",
            "handshake_aborted by=responder phase=first_data verdict=exact \
             cause=handshake_rejected evidence=wire_strong",
        ],
    ),
    scenario(
        "one_sided_rst_with_ack",
        "who rejects a handshake says so without ACK",
        "O S 0 ws=7
         O A 1 1
         R RA 1 1",
        &[
            "established",
            "reset by=responder phase=established_no_data verdict=exact \
             cause=active_abort evidence=wire_strong",
        ],
    ),
    scenario(
        "one_sided_rst_after_payload",
        "R has sent more than a SYN-ACK, for O has acked more",
        "O S 0 ws=7
         O A 1 1
         O A 1 101
         R R 101 win=0",
        &[
            "established",
            "reset by=responder phase=established_no_data verdict=exact \
             cause=no_connection evidence=wire_strong",
        ],
    ),
    scenario(
        "rst_beside_a_sack_edge",
        "only at the edge itself it would be exact to a receiver that misses \
         something",
        "open
         O PA 1+100 1
         O PA 201+100 1
         R A 1 101 sack=201-301
         O R 250 win=0
         R A 1 101",
        &[
            "rst_rejected by=originator verdict=in_window",
            "challenge_ack",
            "live established",
        ],
    ),
    scenario(
        "sack_edge_outlives_an_ack_without",
        "payload in the other direction says nothing of what is missing",
        "open
         R PA 1+100 1
         R PA 201+100 1
         O A 1 101 sack=201-251
         O PA 1+10 101
         R RA 251 11",
        &[
            "reset by=responder phase=transfer verdict=train cause=active_abort \
             evidence=wire_strong",
        ],
    ),
    scenario(
        "rst_at_the_edge_of_a_closed_window",
        "where R acks, a window of nothing begins",
        "open
         O PA 1+10 1
         R A 1 6 win=0
         O R 6 win=0
         wait 4s",
        &["reset by=originator phase=first_data verdict=in_window \
             cause=no_connection evidence=wire_weak"],
    ),
    scenario(
        "rst_beyond_a_closed_window",
        "and there it ends",
        "open
         O PA 1+10 1
         R A 1 6 win=0
         O R 7 win=0",
        &[
            "rst_rejected by=originator verdict=future",
            "live established",
        ],
    ),
    scenario(
        "rst_beyond_a_window_of_unknown_scale",
        "midstream: it may be within",
        "O A 1 1
         R A 1 1
         O R 900000 win=0
         wait 4s",
        &["reset by=originator phase=midstream verdict=unverifiable \
             cause=no_connection evidence=wire_weak"],
    ),
    scenario(
        "rst_with_ack_into_silence",
        "an abort after a pause: nothing was discovered",
        "R SA 0 1
         O A 1 1
         pass 44s
         O RA 1 1",
        &[
            "established",
            "reset by=originator phase=established_no_data verdict=exact \
             cause=active_abort evidence=wire_strong",
        ],
    ),
    scenario(
        "rst_at_zero_discovers_nothing",
        "an end that was never seen has acked nothing, not even the number 0",
        "isn O 4294967293
         O PA 1+1 1
         pass 30s
         O R 3 win=0
         wait 4s",
        &["reset by=originator phase=midstream verdict=unverifiable \
             cause=no_connection evidence=wire_weak"],
    ),
    scenario(
        "rst_elsewhere_discovers_nothing",
        "a reply to payload has the number that it acked",
        "O PA 1+100 1
         O PA 1+100 1
         R R 500 win=0
         wait 4s",
        &["reset by=responder phase=midstream verdict=unverifiable \
             cause=no_connection evidence=wire_weak"],
    ),
    scenario(
        "one_payload_is_no_backlog",
        "the first payload that is seen, and an RST",
        "O PA 1+100 1
         R R 1 win=0
         wait 4s",
        &["reset by=responder phase=midstream verdict=unverifiable \
             cause=no_connection evidence=wire_weak"],
    ),
    scenario(
        "keepalive_of_an_end_seen_alone",
        "its byte is payload: that it was sent before, only the other end could \
         tell",
        "isn R 4294967295
         R SA 0 1
         R A 0+1 1
         R R 1 win=0",
        &[
            "established",
            "reset by=responder phase=first_data verdict=train cause=no_connection \
             evidence=wire_strong retransmits=0/1",
        ],
    ),
    scenario(
        "acked_payload_is_no_backlog",
        "all was acked that was sent before",
        "O A 1 1
         R A 25 1
         R PA 25+1288 1
         O R 1 win=0",
        &[
            "half_open_discovered_by_data by=originator phase=midstream verdict=exact \
             cause=no_connection evidence=wire_strong",
        ],
    ),
    scenario(
        "old_ack_is_no_challenge",
        "a challenge ACK repeats the latest",
        "open
         R PA 1+100 1
         O R 500 win=0
         R A 51 1
         wait 4s",
        &["reset by=originator phase=first_data verdict=in_window \
             cause=no_connection evidence=wire_weak"],
    ),
    scenario(
        "own_syn_is_no_challenge",
        "an ACK of who has said SYN refutes it for nobody",
        "open
         R A 1 1
         R S 90000 ws=7
         R A 1 1",
        &["live established"],
    ),
    scenario(
        "challenge_ack_stands_for_a_second",
        "whatever else is seen within it",
        "O A 1 1 win=8468
         O A 1 1 win=8468
         R FA 1 1
         R RA 16136 1",
        &[
            "rst_rejected by=responder verdict=in_window",
            "live half_closed",
        ],
    ),
    scenario(
        "challenge_ack_once_more",
        "the second from the latest on",
        "open
         R A 1 1
         R A 1 1
         wait 900ms
         R A 1 1
         wait 900ms
         O R 500 win=0
         wait 4s",
        &[
            "rst_rejected by=originator verdict=in_window",
            "live established",
        ],
    ),
    scenario(
        "challenge_ack_after_what_does_not_fit",
        "payload beyond the window is nothing that it would have to wait behind",
        "open
         R A 1 1
         O PA 200001+100 1
         R A 1 1
         O R 500 win=0
         wait 4s",
        &[
            "implausible",
            "rst_rejected by=originator verdict=in_window",
            "live established",
        ],
    ),
    scenario(
        "rst_beside_what_does_not_fit",
        "payload beyond the window says nothing of an RST in doubt",
        "open
         O PA 1+100 1
         R PA 1+100 101
         O R 500 win=0
         R PA 200001+100 1
         wait 4s",
        &[
            "implausible",
            "reset by=originator phase=transfer verdict=in_window \
             cause=no_connection evidence=wire_weak",
        ],
    ),
    scenario(
        "rst_beside_the_first_ack",
        "a first ACK is no repetition, not even of the number 0, and so no \
         challenge",
        "isn R 4294967295
         O S 0 ws=11
         R SA 0 1 ws=9
         O A 1 1
         R R 2",
        &["established", "live established"],
    )
    .needs_hooks(),
    scenario(
        "rst_beyond_a_window_that_is_closed",
        "a simultaneous open, O offers nothing",
        "R S 0
         O SA 0 1
         O A 1 1 win=0
         R RA 1879046931 1 win=0",
        &[
            "rst_rejected by=originator verdict=future",
            "live syn_received",
        ],
    ),
    scenario(
        "rst_below_what_was_acked_after_a_gap",
        "R has gone on behind what O acked, and O's RST is below all of it",
        "O PA 1+10 1
         O A 11 201
         R PA 201+10 11
         O A 11 211
         O R 5 win=0",
        &[
            "rst_rejected by=originator verdict=old",
            "live established bytes=10/10 seen=midstream",
        ],
    ),
    scenario(
        "repeated_ack_of_what_was_missed",
        "R acks again what nobody saw: no challenge ACK to an RST elsewhere",
        "open
         O PA 1+100 1
         R A 1 101
         O PA 200001+100 1
         R A 1 200101
         R A 1 200101
         O R 200050 win=0
         wait 4s",
        &[
            "implausible",
            "implausible",
            "reset by=originator phase=first_data verdict=unverifiable \
             cause=no_connection evidence=wire_weak",
        ],
    ),
    scenario(
        "rst_far_beyond_lone_payload",
        "in doubt, and to Wireshark there was payload and an RST",
        "O PA 1+10 1
         O R 500 win=0",
        &["live established completeness=40 seen=midstream"],
    )
    .needs_hooks(),
    scenario(
        "lone_fin_and_its_reset",
        "to Wireshark an ACK, a FIN and an RST",
        "O FA 1 1
         O RA 2 1
         wait 4s",
        &[
            "reset_after_own_fin by=originator phase=half_closed verdict=unverifiable \
             cause=active_abort evidence=wire_weak completeness=52",
        ],
    ),
];
