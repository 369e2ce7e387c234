//! What comes late, again, or in part: told apart by one condition.

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "fragment_then_acks",
        "an ack of what was there before does not settle how long it was (16)",
        "open
         O PA 1+1000 1 fragment
         R PA 1+10 1
         R A 11 1601
         O PA 1601+100 11
         R A 11 1701",
        &[
            "implausible",
            "live established bytes=1700/10 seen=gaps segments=4/4",
        ],
    ),
    scenario(
        "late_syn_of_the_lower_port",
        "ports were a guess; the SYN says who opened",
        "R A 1 1
         R S 0
         O A 1 1
         R RA 1 1",
        &[
            "reset by=originator phase=midstream verdict=exact cause=active_abort \
           evidence=wire_strong",
        ],
    ),
    scenario(
        "syn_ack_again_unanswered",
        "the final ACK did not arrive, and nobody answers any more",
        "open
         wait 1s
         R SA 0 1 ws=7
         wait 301s",
        &[
            "half_open_silent by=originator phase=established_no_data cause=retransmit_timeout \
           evidence=wire_weak retransmits=0/1",
        ],
    ),
    scenario(
        "syn_answered_at_last",
        "a SYN that was repeated until it was answered waits for nothing",
        "O S 0 ws=7
         wait 1s
         O S 0 ws=7
         R SA 0 1 ws=7
         O A 1 1
         wait 400s",
        &["live established retransmits=1/0"],
    ),
    scenario(
        "sack_after_the_fin",
        "is no timestamp either",
        "open
         R PA 1+100 1
         R FA 201 1
         O A 1 101 sack=201-301
         R PA 101+100 1
         O FA 1 202
         R A 202 2
         O S 100000 ws=7 ts=2999999999/0
         wait 61s",
        &[
            "graceful by=responder phase=closing holder=responder",
            "time_wait expired restarts=0/0 answer=silence",
        ],
    ),
    scenario(
        "acks_before_what_they_ack",
        "whoever has acked all of it has answered, in whatever order that is seen",
        "open
         O PA 1+100 1
         O PA 1+100 1
         R A 1 201
         O PA 101+100 1
         wait 400s",
        &[
            "implausible",
            "live established bytes=200/0 segments=5/2 retransmits=1/0 unanswered=0/0",
        ],
    ),
    scenario(
        "first_fin_seen_last",
        "the other acks it: by acks, not by time",
        "open
         O FA 1 2
         R A 2 2
         R FA 1 1",
        &[
            "implausible",
            "implausible",
            "graceful by=responder phase=closing holder=responder",
        ],
    ),
    scenario(
        "rst_behind_a_forged_fin",
        "who does not know what is next forges both, and gains nothing",
        "open
         O PA 1+300 1
         O FA 5000 101
         O R 5001 win=0
         O PA 301+100 1",
        &[
            "implausible",
            "rst_rejected by=originator verdict=in_window",
            "live established bytes=400/0",
        ],
    ),
];
