//! One end has lost its state, and a SYN or data tell the other
//! (RFC 9293 3.5.1).

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "half_open_by_syn",
        "a restarted client's SYN meets the old connection (22)",
        "open
         O PA 1+100 1
         R A 1 101
         O S 50000 ws=7
         R A 1 101
         O R 101 win=0
         O S 50000 ws=7
         R SA 700000 50001 ws=7
         O A 50001 700001
         O FA 50001 700001
         R FA 700001 50002
         O A 50002 700002",
        &[
            "challenge_ack",
            "half_open_discovered_by_syn by=originator phase=first_data verdict=exact \
             cause=bad_ack evidence=wire_strong segments=4/3 history=ShADaR zeek=RSTO",
            "graceful by=originator phase=closing holder=originator retransmits=1/0",
        ],
    ),
    scenario(
        "half_open_by_syn_alone",
        "the attempt that met it lives on",
        "open
         O PA 1+100 1
         R A 1 101
         O S 50000 ws=7
         R A 1 101
         O R 101 win=0",
        &[
            "challenge_ack",
            "half_open_discovered_by_syn by=originator phase=first_data verdict=exact \
             cause=bad_ack evidence=wire_strong",
            "live syn_sent segments=1/0",
        ],
    ),
    scenario(
        "half_open_by_syn_after_fin",
        "the same against CLOSE_WAIT's peer: row 3 goes before row 4",
        "open
         O FA 1 1
         R A 1 2
         O S 50000 ws=7
         R A 1 2
         O R 2 win=0",
        &[
            "challenge_ack",
            "half_open_discovered_by_syn by=originator phase=half_closed verdict=exact \
             cause=bad_ack evidence=wire_strong",
            "live syn_sent",
        ],
    ),
    scenario(
        "half_open_by_data_silent",
        "R comes back without state (8b), having been silent for 10 s",
        "open
         O PA 1+100 1
         R A 1 101
         wait 20s
         O PA 101+100 1
         R R 1 win=0",
        &[
            "half_open_discovered_by_data by=responder phase=first_data verdict=exact \
           cause=no_connection evidence=wire_strong lost=100/0",
        ],
    ),
    scenario(
        "half_open_by_data_unacked",
        "the same at once, an earlier segment having been left unacked",
        "open
         O PA 1+100 1
         R A 1 101
         O PA 101+100 1
         O PA 201+100 1
         R R 1 win=0",
        &[
            "half_open_discovered_by_data by=responder phase=first_data verdict=exact \
           cause=no_connection evidence=wire_strong lost=200/0",
        ],
    ),
    scenario(
        "half_open_by_retransmission",
        "what draws the RST is a retransmission",
        "open
         O PA 1+100 1
         R A 1 101
         O PA 101+100 1
         wait 1s
         O PA 101+100 1
         R R 1 win=0",
        &[
            "half_open_discovered_by_data by=responder phase=first_data verdict=exact \
           cause=no_connection evidence=wire_strong lost=100/0 retransmits=1/0",
        ],
    ),
    scenario(
        "reply_form_at_once",
        "the same form, but R was there a moment ago",
        "open
         O PA 1+100 1
         R A 1 101
         O PA 101+100 1
         R R 1 win=0",
        &[
            "reset by=responder phase=first_data verdict=exact cause=no_connection \
           evidence=wire_strong",
        ],
    ),
    scenario(
        "superseded",
        "a SYN with a new ISN is accepted on a tuple that had not closed",
        "open
         O PA 1+100 1
         R A 1 101
         wait 60s
         O S 50000 ws=7
         R SA 700000 50001 ws=7
         O A 50001 700001",
        &[
            "superseded by=originator phase=first_data lost=0/0",
            "live established segments=2/1",
        ],
    ),
    scenario(
        "syn_refused_by_the_living",
        "a blind SYN: a challenge ACK, and nothing has changed",
        "open
         O PA 1+100 1
         R A 1 101
         O S 50000 ws=7
         R A 1 101
         O PA 101+100 1
         R A 1 201",
        &["challenge_ack", "live established bytes=200/0 seen=whole"],
    ),
    scenario(
        "rst_at_zero_clears_nothing",
        "an end that was never seen has acked nothing, not even the number 0",
        "isn R 4294967294
         R FA 1 1
         R S 101090
         R R 2 win=0
         wait 1s",
        &["live half_closed"],
    )
    .needs_hooks(),
    scenario(
        "rst_without_ack_accepts_no_syn",
        "the ack field means nothing without ACK, not even the number 0",
        "open
         O FA 1 1
         R S =4294967295 ws=7
         O R 500 =0 win=0
         wait 1s",
        &["live half_closed"],
    )
    .needs_hooks(),
];
