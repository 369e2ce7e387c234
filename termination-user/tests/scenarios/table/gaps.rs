//! What the observer has missed, and what both ends agree on about it.

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "hole",
        "bytes that R acks and nobody saw are a gap",
        "open
         O PA 1+100 1
         O PA 201+100 1
         R A 1 301",
        &["live established bytes=300/0 history=ShADaG"],
    ),
    scenario(
        "hole_filled",
        "they came late: no gap, whatever R acks",
        "open
         O PA 1+100 1
         O PA 301+100 1
         O PA 101+100 1
         O PA 201+100 1
         R A 1 401",
        &["live established bytes=400/0 history=ShADTa"],
    ),
    scenario(
        "hole_filled_in_part",
        "the rest of it did not come",
        "open
         O PA 1+100 1
         O PA 301+100 1
         O PA 101+100 1
         R A 1 401",
        &["live established bytes=400/0 history=ShADTaG"],
    ),
    scenario(
        "hole_not_reached",
        "an ACK below the hole says nothing of it",
        "open
         O PA 1+100 1
         O PA 201+100 1
         R A 1 101",
        &["live established bytes=300/0 history=ShADa"],
    ),
    scenario(
        "gap",
        "the observer missed more than a window, and y acks what x goes on with",
        "open
         O PA 1+100 1
         R A 1 101
         O PA 200001+100 1
         R A 1 200101
         O FA 200101 1
         R FA 1 200102
         O A 200102 2",
        &[
            "implausible",
            "implausible",
            "graceful by=originator phase=closing holder=originator bytes=200100/0 seen=gaps",
        ],
    ),
    scenario(
        "gap_by_ack",
        "y's ack is seen first, then x goes on",
        "open
         O PA 1+100 1
         R A 1 101
         R A 1 200101
         O PA 200101+100 1
         R A 1 200201",
        &[
            "implausible",
            "implausible",
            "live established bytes=200200/0 seen=gaps",
        ],
    ),
    scenario(
        "ack_before_its_data",
        "an ack that was seen before what it acks counts once that is seen",
        "open
         R A 1 101
         O PA 1+100 1",
        &[
            "implausible",
            "no half_closed",
            "live established lost=0/0 seen=whole",
        ],
    ),
    scenario(
        "ack_of_other_data",
        "but only if the two agree to the byte",
        "open
         R A 1 51
         O PA 1+100 1",
        &["implausible", "live established lost=100/0 seen=whole"],
    ),
    scenario(
        "crossing_fin_missed",
        "the observer missed more than a window, and R's FIN, which acks no FIN of O's",
        "open
         O FA 1 1
         R FA 100001 1
         O A 2 100002
         R A 100002 2
         wait 61s",
        &[
            "implausible",
            "implausible",
            "graceful_simultaneous by=both phase=closing holder=both bytes=0/100000 \
             seen=gaps",
            "time_wait expired restarts=0/-",
        ],
    ),
    scenario(
        "answering_fin_missed",
        "the same with a FIN that acks O's: O was first",
        "open
         O FA 1 1
         R FA 100001 2
         O A 2 100002
         wait 61s",
        &[
            "implausible",
            "graceful by=originator phase=closing holder=originator bytes=0/100000 seen=gaps",
            "implausible",
            "time_wait expired restarts=0/0",
        ],
    ),
    scenario(
        "forged_fin_then_the_other_closes",
        "R goes on beyond a FIN in its name, and O takes that: it was none, O's was first",
        "open
         R FA 51 1
         O FA 1 1
         R PA 1+100 2
         O A 2 101
         R FA 101 2
         O A 2 102",
        &[
            "implausible",
            "implausible",
            "graceful by=originator phase=closing holder=originator bytes=0/100 seen=gaps \
             first=originator",
        ],
    ),
    scenario(
        "forged_fin_then_its_own",
        "R goes on beyond a FIN in its name, and then closes",
        "open
         R FA 51 1
         R PA 1+100 1
         O A 1 101
         R FA 101 1
         O FA 1 102
         R A 102 2",
        &[
            "implausible",
            "implausible",
            "graceful by=responder phase=closing holder=responder bytes=0/100 seen=gaps \
             first=responder",
        ],
    ),
    scenario(
        "forged_fin_acked_by_chance",
        "O has acked just as far as a forged FIN; R goes on, and its own is not acked",
        "open
         R FA 51 1
         R PA 1+51 1
         O A 1 52
         R PA 52+50 1
         O A 1 102
         R FA 102 1
         wait 301s",
        &[
            "implausible",
            "implausible",
            "implausible",
            "fin_unanswered by=responder phase=half_closed bytes=0/101 seen=gaps",
        ],
    ),
    scenario(
        "rst_where_something_was_missed",
        "of a first fragment the end is not known, so an old RST may not be old",
        "open
         O PA 1+10 1 fragment
         R A 1 301
         O R -500 win=0
         wait 4s",
        &[
            "implausible",
            "reset by=originator phase=established_no_data verdict=unverifiable \
             cause=no_connection evidence=wire_weak seen=gaps",
        ],
    ),
];
