//! After the ending: what opens, and what opens nothing.

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "syn_ack_into_the_linger",
        "opens nothing",
        "R RA 1 1
         R SA 5498+875 2147261205 win=512 fragment",
        &[
            "reset by=responder phase=midstream verdict=unverifiable",
            "stray_segment",
        ],
    ),
    scenario(
        "syn_at_zero_into_the_linger",
        "of an end that was never seen no SYN comes again, not even at the number \
         0",
        "isn O 0
         R RPU 1
         O S 0",
        &[
            "reset by=responder phase=midstream verdict=unverifiable",
            "live syn_sent",
        ],
    ),
    scenario(
        "syn_ack_after_the_wait",
        "the wait is over, but nobody has looked: it opens nothing",
        "R FA 1 1
         O FA 1 2
         R A 2 2
         pass 4638s
         O SA 104228 77",
        &[
            "graceful by=responder phase=closing holder=responder",
            "stray_segment",
        ],
    )
    .needs_hooks(),
    scenario(
        "ack_of_a_syn_into_the_wait",
        "is no SYN-ACK: it accepts nothing, and starts the wait anew",
        "O FA 1 1
         R FA 1 2
         O A 2 2
         O S 100233 ws=2
         R A 2 100234",
        &[
            "graceful by=originator phase=closing holder=originator",
            "stray_segment",
            "stray_segment",
            "time_wait_restarted",
        ],
    ),
    scenario(
        "syn_ack_of_another_syn_into_the_wait",
        "is not the answer to the SYN that waits",
        "O FA 1 1
         R FA 1 2
         O A 2 2
         O S 100464 ws=7
         R SA 90000 77 ws=7
         wait 61s",
        &[
            "graceful by=originator phase=closing holder=originator",
            "stray_segment",
            "stray_segment",
            "time_wait_restarted",
            "time_wait expired restarts=1/0 answer=silence",
        ],
    ),
    scenario(
        "rst_with_syn_after_an_rst",
        "an RST, whatever else it says: it opens nothing",
        "open
         O RA 1 1
         O SR 700",
        &[
            "reset by=originator phase=established_no_data verdict=exact cause=active_abort evidence=wire_strong",
        ],
    ),
    scenario(
        "syn_ack_after_an_rst_met_midstream",
        "it acks no SYN that anybody has seen",
        "O PA 1+100 1
         R A 1 101
         R RA 1 101
         R SA 700 1",
        &[
            "reset by=responder phase=midstream verdict=exact cause=active_abort evidence=wire_strong",
        ],
    ),
    scenario(
        "accepted_after_a_refusal_with_the_window_of_its_syn",
        "what the SYN offered holds, however little is offered next",
        "O S 0 ws=7
         R RA 0 1
         wait 1s
         O S 0 ws=7
         R SA 500 1 ws=7
         O A 1 501 win=1
         R PA 501+1000 1",
        &[
            "refused by=responder phase=syn_sent verdict=syn_sent_ok cause=no_listener evidence=wire_strong",
            "established",
            "live established bytes=0/1000",
        ],
    ),
    scenario(
        "accepted_after_an_abort_with_a_wide_window",
        "what was offered last is more than a SYN can say",
        "open
         O RA 1 1
         R SA 500 1 ws=7
         O A 1 501 win=1
         R PA 501+1000 1",
        &[
            "established",
            "reset by=originator phase=established_no_data verdict=exact cause=active_abort evidence=wire_strong",
            "established",
            "live established bytes=0/1000",
        ],
    ),
];
