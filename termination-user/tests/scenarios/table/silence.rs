//! Silence, and questions asked into it.

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "half_open_silent",
        "retransmissions unanswered, then the timer (8a): the peer is gone",
        "open
         O PA 1+100 1
         wait 1s
         O PA 1+100 1
         wait 10s
         O PA 1+100 1
         wait 20s
         O PA 1+100 1
         wait 299s
         wait 2s",
        &[
            "half_open_suspected",
            "half_open_silent by=responder phase=first_data cause=retransmit_timeout \
             evidence=wire_weak lost=100/0 retransmits=3/0 bytes=100/0 \
             duration=31005|31006",
        ],
    ),
    scenario(
        "half_open_silent_after_payload",
        "R has said more than its SYN-ACK: no accept queue had to do with it",
        "open
         O PA 1+100 1
         R PA 1+200 101
         R PA 1+200 101
         R PA 1+200 101
         wait 301s",
        &[
            "half_open_silent by=originator phase=transfer cause=retransmit_timeout \
             evidence=wire_weak retransmits=0/2",
        ],
    ),
    scenario(
        "idle_after_retransmissions",
        "answered at last, and then hours of nothing: no cause",
        "open
         R PA 1+200 1
         R PA 1+200 1
         R PA 1+200 1
         O A 1 201
         wait 8000s",
        &["idle_expired by=nobody phase=first_data retransmits=0/2"],
    ),
    scenario(
        "half_open_silent_originator",
        "the same, R asks",
        "open
         R PA 1+100 1
         O A 1 101
         R PA 101+100 1
         R PA 101+100 1
         wait 301s",
        &[
            "half_open_silent by=originator phase=first_data cause=retransmit_timeout \
           evidence=wire_weak lost=0/100",
        ],
    ),
    scenario(
        "half_open_silent_probed",
        "keepalive probes unanswered",
        "open
         R A 1 1
         wait 60s
         O A 0 1
         wait 75s
         O A 0 1
         wait 301s",
        &[
            "half_open_suspected",
            "half_open_silent by=responder phase=established_no_data retransmits=0/0 bytes=0/0",
        ],
    ),
    scenario(
        "half_open_silent_window",
        "window probes unanswered: given up as retransmissions are",
        "open
         O PA 1+100 1
         R A 1 101 win=0
         wait 60s
         O A 100 1
         wait 120s
         O A 100 1
         wait 301s",
        &[
            "half_open_suspected",
            "half_open_silent by=responder phase=first_data cause=retransmit_timeout \
             evidence=wire_weak retransmits=0/0",
        ],
    ),
    scenario(
        "probes_answered",
        "keepalive and window probes are neither bytes nor retransmissions (25)",
        "open
         O PA 1+100 1
         R A 1 101 win=0
         wait 60s
         O A 100 1
         R A 1 101 win=0
         wait 60s
         O PA 100+1 1
         R A 1 101
         O PA 101+100 1
         R A 1 201
         wait 301s",
        &["live established bytes=200/0 retransmits=0/0"],
    ),
    scenario(
        "window_probe_beyond",
        "a window probe with the next byte, which is refused and later sent again",
        "open
         O PA 1+100 1
         R A 1 101 win=0
         wait 1s
         O PA 101+1 1
         R A 1 101 win=0
         wait 2s
         O PA 101+1 1
         R A 1 101 win=0
         wait 4s
         R A 1 101
         O PA 101+100 1
         R A 1 201",
        &["live established bytes=200/0 retransmits=0/0"],
    ),
    scenario(
        "half_closed_abandoned",
        "stuck in CLOSE_WAIT",
        "open
         O FA 1 1
         R A 1 2
         wait 3599s
         wait 2s",
        &[
            "half_closed",
            "half_closed_abandoned by=originator phase=half_closed lost=0/0",
        ],
    ),
    scenario(
        "half_closed_alive",
        "data in the open direction keeps it alive",
        "open
         O FA 1 1
         R A 1 2
         wait 3000s
         R PA 1+10 2
         O A 2 11
         wait 3000s",
        &["live half_closed after=0/10"],
    ),
    scenario(
        "fin_unanswered",
        "a FIN that nobody acks",
        "open
         O FA 1 1
         wait 301s",
        &["fin_unanswered by=originator phase=half_closed lost=0/0"],
    ),
    scenario(
        "fin_unanswered_repeated",
        "the same, repeated",
        "open
         O FA 1 1
         wait 1s
         O FA 1 1
         wait 301s",
        &[
            "fin_unanswered by=originator phase=half_closed cause=retransmit_timeout \
           evidence=wire_weak retransmits=1/0",
        ],
    ),
    scenario(
        "idle_expired",
        "no question was asked: liveness unknown",
        "open
         O PA 1+100 1
         R PA 1+10 101
         O A 101 11
         wait 7874s
         wait 2s",
        &["idle_expired by=nobody phase=transfer duration=4|5"],
    ),
    scenario(
        "idle_expired_midstream",
        "nothing more is known of one met midstream",
        "O A 1 1
         R A 1 1
         wait 7876s",
        &["idle_expired by=nobody phase=midstream seen=midstream"],
    ),
    scenario(
        "accept_queue_overflow",
        "the SYN-ACK comes again and again although it was acked (17)",
        "open
         wait 1s
         R SA 0 1 ws=7
         O A 1 1
         wait 2s
         R SA 0 1 ws=7
         O A 1 1
         O PA 1+100 1
         wait 1s
         O PA 1+100 1
         wait 301s",
        &[
            "half_open_silent by=responder phase=first_data cause=accept_queue_overflow \
           evidence=wire_weak retransmits=1/2",
        ],
    ),
    scenario(
        "answered_after_all",
        "the suspicion ends when the silent end speaks",
        "open
         O PA 1+100 1
         wait 11s
         O PA 1+100 1
         wait 20s
         O PA 1+100 1
         R A 1 101
         wait 301s",
        &["half_open_suspected", "live established"],
    ),
    scenario(
        "one_sided_originator",
        "R was never seen: neither cancelled nor fin_unanswered can be claimed",
        "O S 0 ws=7
         O A 1 1
         O PA 1+100 1
         O A 101 201
         O FA 101 201
         O A 102 202
         wait 3601s",
        &[
            "half_closed_abandoned by=originator phase=half_closed seen=one_sided bytes=100/0 duration=4|5",
        ],
    ),
    scenario(
        "retransmission_that_acks_more",
        "what it acks was said before: it is unanswered",
        "open
         O PA 1+100 1
         R PA 1+50 1
         O PA 1+100 51
         wait 301s",
        &[
            "half_open_silent by=responder phase=transfer cause=retransmit_timeout evidence=wire_weak",
        ],
    ),
    scenario(
        "one_sided_fin_after_a_retransmission",
        "what O acks shows that it was answered: only its FIN can be unanswered",
        "O S 0
         O A 1 1
         O PA 1+100 1
         wait 300ms
         O PA 1+100 1
         O A 101 1001
         O FA 101 5001
         O A 102 5002
         wait 3601s",
        &["half_closed_abandoned by=originator phase=half_closed seen=one_sided bytes=100/0"],
    ),
    scenario(
        "one_sided_fin_repeated",
        "an unseen end's FIN that comes again was not acked",
        "O S 0 ws=7
         O A 1 1
         O FA 1 1
         wait 1s
         O FA 1 1
         wait 3601s",
        &[
            "fin_unanswered by=originator phase=half_closed cause=retransmit_timeout \
           evidence=wire_weak seen=one_sided",
        ],
    ),
    scenario(
        "one_sided_responder",
        "O was never seen",
        "R SA 0 1 ws=7
         R A 1 101
         R PA 1+200 101
         R FA 201 102
         R A 202 102
         wait 3601s",
        &["half_closed_abandoned by=responder phase=half_closed seen=one_sided duration=3|4"],
    ),
    scenario(
        "one_sided_reset_after_fin",
        "what the RST answers was not seen: neither payload nor its absence is claimed",
        "O S 0 ws=7
         O A 1 1
         O FA 1 1
         O R 2 win=0",
        &["reset_after_own_fin by=originator phase=half_closed verdict=train seen=one_sided"],
    ),
    scenario(
        "one_sided_reset",
        "an end resets that alone was seen",
        "O S 0 ws=7
         O A 1 1
         O PA 1+100 1
         O RA 101 1",
        &[
            "reset by=originator phase=first_data verdict=train cause=active_abort \
           evidence=wire_strong seen=one_sided",
        ],
    ),
    scenario(
        "lone_fin",
        "met at its FIN; the other end has said nothing, so it has not acked it",
        "R FA 1 1
         wait 301s",
        &["fin_unanswered by=responder phase=half_closed seen=midstream"],
    ),
    scenario(
        "keepalive_with_a_byte_after_a_fin",
        "in the FIN's place: it asks, and is neither payload nor forged",
        "open
         O FA 1 1
         R A 1 2
         wait 75s
         O PA 1+1 1
         R A 1 2",
        &[
            "half_closed",
            "live half_closed bytes=0/0 segments=4/3 retransmits=0/0 unanswered=0/0",
        ],
    ),
];
