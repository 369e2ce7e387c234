//! What is told apart by one condition, and by no other scenario.

use super::{Scenario, scenario};
use crate::language::Route;

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "retransmitted_ten_times",
        "Zeek's T comes again at each power of ten",
        "open
         R A 1 1
         O PA 1+10 1
         O PA 1+10 1
         O PA 1+10 1
         O PA 1+10 1
         O PA 1+10 1
         O PA 1+10 1
         O PA 1+10 1
         O PA 1+10 1
         O PA 1+10 1
         O PA 1+10 1
         O PA 1+10 1",
        &["live established retransmits=10/0 history=ShAaDTT"],
    ),
    scenario(
        "suspected_twice",
        "who has spoken may fall silent again",
        "open
         O PA 1+100 1
         wait 11s
         O PA 1+100 1
         wait 20s
         O PA 1+100 1
         R A 1 101
         O PA 101+100 1
         wait 11s
         O PA 101+100 1
         wait 20s
         O PA 101+100 1",
        &[
            "half_open_suspected",
            "half_open_suspected",
            "live established",
        ],
    ),
    scenario(
        "handshake_reset_in_window",
        "a reply to nothing that R has acked",
        "O S 0 ws=7
         R SA 0 1 ws=7
         O R 5 win=0
         wait 4s",
        &[
            "handshake_reset by=originator phase=syn_received verdict=in_window cause=bad_ack \
           evidence=wire_weak",
        ],
    ),
    scenario(
        "backlog_acked",
        "R has acked what was sent before; only the last payload draws the RST",
        "open
         O PA 1+100 1
         O PA 101+100 1
         R A 1 201
         O PA 201+100 1
         R R 1 win=0",
        &[
            "reset by=responder phase=first_data verdict=exact cause=no_connection \
           evidence=wire_strong lost=100/0",
        ],
    ),
    scenario(
        "fin_again_after_its_ack",
        "a FIN that was acked is answered, even if a copy of it comes",
        "open
         O FA 1 1
         R A 1 2
         O FA 1 1
         wait 3601s",
        &["half_closed_abandoned by=originator phase=half_closed retransmits=1/0"],
    ),
    scenario(
        "one_sided_retransmission",
        "what is retransmitted is no FIN",
        "R SA 0 1 ws=7
         R PA 1+10 1
         R PA 1+10 1
         wait 100000s",
        &["idle_expired by=nobody phase=first_data seen=one_sided retransmits=0/1"],
    ),
    scenario(
        "acked_fin_repeated_unacked_one_not",
        "of two FINs the one that was acked says nothing of the other",
        "open
         O FA 1 1
         R FA 1 2
         O FA 1 1
         wait 100s",
        &["graceful_unconfirmed by=originator phase=closing retransmits=1/0"],
    ),
    scenario(
        "accept_queue_overflow_with_data",
        "the ACK that the SYN-ACK comes again after carries payload",
        "O S 0 ws=7
         R SA 0 1 ws=7
         O PA 1+10 1
         R SA 0 1 ws=7
         O PA 1+10 1
         R SA 0 1 ws=7
         O PA 1+10 1
         wait 301s",
        &[
            "half_open_silent by=responder phase=first_data cause=accept_queue_overflow \
           evidence=wire_weak retransmits=2/2",
        ],
    ),
    scenario(
        "window_probe_below_the_end",
        "a byte that was sent asks for a closed window: no retransmission",
        "open
         O PA 1+100 1
         R A 1 51 win=0
         O A 51+1 1",
        &["live established bytes=100/0 retransmits=0/0 lost=50/0"],
    ),
    scenario(
        "fin_with_a_byte_again",
        "a FIN asks for no window",
        "open
         R A 1 1 win=0
         O FPA 1+1 1
         O FPA 1+1 1",
        &["live half_closed bytes=1/0 retransmits=1/0"],
    ),
    scenario(
        "sack_edge_is_no_timestamp",
        "a connection without timestamps has none that a SYN's could be older than",
        "open
         R PA 1+100 1
         R PA 201+100 1
         O A 1 101 sack=201-301
         R PA 101+100 1
         O A 1 301
         R FA 301 1
         O FA 1 302
         R A 302 2
         O S 100000 ws=7 ts=2999999999/0
         wait 61s",
        &[
            "graceful by=responder phase=closing holder=responder",
            "time_wait expired restarts=0/0 answer=silence",
        ],
    ),
    scenario(
        "syn_then_abort",
        "an abort is no answer to the ACK that met the SYN",
        "open
         O PA 1+100 1
         R A 1 101
         O S 50000 ws=7
         O RA 101 1",
        &[
            "reset by=originator phase=first_data verdict=exact cause=active_abort \
           evidence=wire_strong",
        ],
    ),
    scenario(
        "syn_then_blind_reset",
        "nor is an RST that is not where the ACK was",
        "open
         O PA 1+100 1
         R A 1 101
         O S 50000 ws=7
         O R 200 win=0
         wait 4s",
        &[
            "reset by=originator phase=first_data verdict=in_window cause=no_connection \
           evidence=wire_weak",
        ],
    ),
    scenario(
        "syn_ack_missed",
        "its ISN follows from the ack; it was missed all the same",
        "O S 0 ws=7
         O A 1 1
         R PA 1+10 1
         O A 1 11",
        &["live established bytes=0/10 seen=gaps lost=0/0"],
    ),
    scenario(
        "seen_after_it_was_acked",
        "what of R was acked before anything of it was seen has been missed",
        "O S 0 ws=7
         O A 1 1
         O A 1 51
         R PA 51+10 1
         O A 1 61",
        &["live established bytes=0/60 seen=gaps lost=0/0"],
    ),
    scenario(
        "originator_seen_after_it_was_acked",
        "the same of O, whose SYN came before all that was seen",
        "R SA 0 1 ws=7
         R A 1 51
         O PA 51+10 1",
        &["live established bytes=60/0 seen=gaps"],
    ),
    scenario(
        "originator_seen_from_its_ack_on",
        "of O its SYN alone was not seen: nothing was missed",
        "R SA 0 1 ws=7
         O A 1 1
         R A 1 1",
        &["live established bytes=0/0 seen=whole"],
    ),
    scenario(
        "fin_that_acks_what_was_missed",
        "the bare ACK behind it says the same with less: R's word decides on the FIN",
        "open
         O FA 1 101
         O A 2 101
         R PA 101+10 2
         O A 2 111
         R FA 111 2
         O A 2 112",
        &[
            "implausible",
            "implausible",
            "implausible",
            "graceful_half_close by=originator phase=closing holder=originator bytes=0/110 \
             seen=gaps",
        ],
    ),
    scenario(
        "goes_on_behind_what_was_disputed",
        "R acks what was not seen of O, and O goes on there: it was missed",
        "open
         R A 1 51
         O A 51 1",
        &["implausible", "live established bytes=50/0 seen=gaps"],
    ),
    scenario(
        "syn_ack_after_more_was_acked",
        "late, and what came after it was missed",
        "O S 0 ws=7
         O A 1 1
         O A 1 51
         R SA 0 1 ws=7
         R PA 51+10 1
         O A 1 61",
        &["live established bytes=0/60 seen=gaps lost=0/0"],
    ),
    scenario(
        "syn_ack_after_its_ack",
        "late, and nothing was missed",
        "O S 0 ws=7
         O A 1 1
         R SA 0 1 ws=7
         R PA 1+10 1
         O A 1 11",
        &["live established bytes=0/10 seen=whole lost=0/0"],
    ),
    scenario(
        "syn_ack_missed_at_the_wrap",
        "the same, S of the end that was not seen is 0",
        "isn R 4294967295
         O S 0 ws=7
         O A 1 1
         R PA 1+10 1
         O A 1 11",
        &["live established bytes=0/10 seen=gaps lost=0/0"],
    ),
    scenario(
        "assassinated_elsewhere",
        "neither end is this host: what the holder got is what was seen",
        "open
         O FA 1 1
         R FA 1 2
         O A 2 2
         R R 2 win=0
         wait 61s",
        &[
            "graceful by=originator phase=closing holder=originator",
            "time_wait assassinated restarts=0/0",
        ],
    )
    .only(Route::Xdp),
    scenario(
        "assassinated_here",
        "the holder is this host",
        "open
         O FA 1 1
         R FA 1 2
         O A 2 2
         R R 2 win=0
         wait 61s",
        &[
            "graceful by=originator phase=closing holder=originator",
            "time_wait assassinated restarts=0/0",
        ],
    )
    .only(Route::Host),
    scenario(
        "assassination_sent_from_here",
        "the RST is this host's",
        "open
         O FA 1 1
         R FA 1 2
         O A 2 2
         R R 2 win=0
         wait 61s",
        &[
            "graceful by=originator phase=closing holder=originator",
            "time_wait offered restarts=0/0",
        ],
    )
    .only(Route::Server),
    scenario(
        "syn_payload_is_first_data",
        "Fast Open: payload of a SYN that was acked",
        "O S 0+100 ws=7
         R SA 0 101 ws=7
         O A 101 1
         O RA 101 1",
        &[
            "reset by=originator phase=first_data verdict=exact cause=active_abort \
           evidence=wire_strong bytes=100/0",
        ],
    ),
    scenario(
        "syn_ack_payload_is_first_data",
        "and of a SYN-ACK, the first that was seen",
        "R SA 0+10 1 ws=7
         O A 1 11
         R RA 11 1",
        &[
            "reset by=responder phase=first_data verdict=exact cause=active_abort \
           evidence=wire_strong bytes=0/10",
        ],
    ),
    scenario(
        "crossing_syn_payload_is_first_data",
        "and of a SYN that crossed another",
        "O S 0 ws=7
         R S 0+10 ws=7
         O SA 0 11 ws=7
         R SA 0 1 ws=7
         O RA 1 11",
        &[
            "reset by=originator phase=first_data verdict=exact cause=active_abort \
           evidence=wire_strong bytes=0/10",
        ],
    ),
    scenario(
        "began_with_the_syn_that_waited",
        "not with the SYN-ACK that accepted it",
        "O S 0 ws=7
         O S 5000 ws=7
         pass 500ms
         R SA 0 5001 ws=7
         O A 5001 1
         O RA 5001 1",
        &[
            "superseded by=originator phase=syn_sent",
            "reset by=originator phase=established_no_data verdict=exact cause=active_abort \
           evidence=wire_strong duration=503|504",
        ],
    ),
    scenario(
        "assassinated_elsewhere_rfc1337",
        "what this host ignores, another may not",
        "rfc1337
         open
         O FA 1 1
         R FA 1 2
         O A 2 2
         R R 2 win=0",
        &[
            "graceful by=originator phase=closing holder=originator",
            "time_wait assassinated restarts=0/0",
        ],
    )
    .only(Route::Xdp),
    scenario(
        "last_stamp_of_a_fin_again",
        "the stamp to beat is that of the FIN's last copy",
        "O S 0 ws=7 ts=10/0
         R SA 0 1 ws=7 ts=20/0
         O A 1 1 ts=11/0
         R FA 1 1 ts=200/0
         O FA 1 2 ts=100/0
         O FA 1 2 ts=150/0
         R A 2 2 ts=201/0
         wait 10s
         O S 5000 ws=7 ts=120/0
         R SA 70000 5001 ws=7 ts=300/0",
        &[
            "graceful by=responder phase=closing holder=responder",
            "time_wait reused_early restarts=1/0 answer=syn_ack",
            "live syn_received",
        ],
    ),
    scenario(
        "stamps_of_one_end",
        "a newer stamp opens nothing where the other end had none",
        "O S 0 ws=7 ts=10/0
         R SA 0 1 ws=7
         O A 1 1 ts=11/0
         R FA 1 1
         O FA 1 2 ts=100/0
         R A 2 2
         wait 10s
         O S -5000 ws=7 ts=101/0
         R SA 70000 -4999 ws=7",
        &[
            "graceful by=responder phase=closing holder=responder",
            "time_wait reused_early restarts=0/0 answer=syn_ack",
            "live syn_received",
        ],
    ),
    scenario(
        "stamp_of_the_syn_alone",
        "nor where neither had",
        "open
         R FA 1 1
         O FA 1 2
         R A 2 2
         wait 10s
         O S -5000 ws=7 ts=101/0
         R SA 70000 -4999 ws=7",
        &[
            "graceful by=responder phase=closing holder=responder",
            "time_wait reused_early restarts=0/0 answer=syn_ack",
            "live syn_received",
        ],
    ),
];
