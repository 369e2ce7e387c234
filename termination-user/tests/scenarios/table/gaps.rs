//! What the observer has missed, and what both ends agree on about it.

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
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
        "ack_before_its_data_after_a_while",
        "who has sent that ack was there then, and is not silent",
        "open
         wait 15s
         R A 1 101
         O PA 1+100 1
         O PA 1+100 1
         O PA 1+100 1",
        &[
            "implausible",
            "no half_open_suspected",
            "live established bytes=100/0 retransmits=2/0",
        ],
    ),
    scenario(
        "ack_before_its_data_of_who_was_suspected",
        "it lives, and may be suspected once more",
        "open
         O PA 1+100 1
         wait 15s
         O PA 1+100 1
         O PA 1+100 1
         R A 1 201
         O PA 101+100 1
         wait 15s
         O PA 101+100 1
         O PA 101+100 1",
        &[
            "half_open_suspected",
            "implausible",
            "half_open_suspected",
            "live established bytes=200/0",
        ],
    ),
    scenario(
        "ack_before_its_data_of_who_was_not_seen",
        "what did not fit then does not make its sender seen",
        "O A 1 1
         R A 2 301
         O PA 1+300 1",
        &[
            "implausible",
            "live established bytes=300/0 segments=2/0 seen=midstream",
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
    scenario(
        "both_were_missed",
        "both ends ack what was not seen of the other, within their windows",
        "open
         O A 301 501
         R A 501 301
         O PA 301+100 501
         R A 501 401",
        &[
            "implausible",
            "implausible",
            "live established bytes=400/500 lost=0/0 seen=gaps history=ShAGgaD",
        ],
    ),
    scenario(
        "both_were_missed_and_a_forged_fin",
        "the same after a FIN in R's name: R goes on beyond it",
        "open
         R FA 1 1
         O A 301 501
         R A 501 301
         O FA 301 501
         R FA 501 302
         O A 302 502",
        &[
            "implausible",
            "implausible",
            "graceful by=originator phase=closing holder=originator bytes=300/500 \
             first=originator seen=gaps",
        ],
    ),
    scenario(
        "both_were_missed_and_do_not_agree",
        "R acks more than where O stood",
        "open
         O A 301 501
         R A 501 302
         O PA 1+100 1
         R A 1 101",
        &[
            "implausible",
            "implausible",
            "live established bytes=100/0 seen=whole",
        ],
    ),
    scenario(
        "far_from_both_ends",
        "more than a window was missed of both: one of them goes on where the other's \
         ack has got, but not at once",
        "open
         O PA 1+100 1
         R A 1 101
         O PA 200101+100 300001
         R PA 300001+100 200201
         wait 2s
         O PA 200201+100 300101
         R A 300101 200301
         O FA 200301 300101
         R FA 300101 200302
         O A 200302 300102",
        &[
            "implausible",
            "implausible",
            "implausible",
            "graceful by=originator phase=closing holder=originator bytes=200300/300100 \
             lost=0/0 seen=gaps",
        ],
    ),
    scenario(
        "far_acks",
        "the same with nothing but ACKs",
        "open
         O PA 1+100 1
         R A 1 101
         O A 200101 300001
         wait 2s
         R A 300001 200101
         O PA 200101+100 300001
         R A 300001 200201",
        &[
            "implausible",
            "implausible",
            "live established bytes=200200/300000 lost=0/0 seen=gaps",
        ],
    ),
    scenario(
        "far_and_contradicted",
        "R speaks of where it has really got to: two that agree with each other later \
         are as new",
        "open
         O PA 1+100 1
         R A 1 101
         O PA 200101+100 300001
         wait 2s
         R A 1 101
         O PA 200101+100 300001
         R PA 300001+100 200201
         O PA 101+10 1
         R A 1 111",
        &[
            "implausible",
            "implausible",
            "implausible",
            "live established bytes=110/0 seen=whole",
        ],
    ),
    scenario(
        "far_and_not_reached",
        "R goes on before what O has acked, or acks more than O has claimed: no word \
         for the other's",
        "open
         O PA 1+100 1
         R A 1 101
         O PA 200101+100 300001
         wait 2s
         R PA 250001+100 200201
         O PA 200101+100 300001
         R PA 300001+100 200202
         O PA 101+10 1
         R A 1 111",
        &[
            "implausible",
            "implausible",
            "implausible",
            "implausible",
            "live established bytes=110/0 seen=whole",
        ],
    ),
    scenario(
        "download_that_was_missed",
        "a request within the window, and more of the answer than any window",
        "open
         O PA 1+100 1
         R PA 1+100 101
         O A 101 101
         R PA 300101+1000 301
         O A 301 301101
         wait 2s
         R PA 301101+1000 301
         O A 301 302101
         R FA 302101 301
         O FA 301 302102
         R A 302102 302",
        &[
            "implausible",
            "implausible",
            "implausible",
            "graceful by=responder phase=closing holder=responder bytes=300/302100 \
             lost=0/0 seen=gaps",
        ],
    ),
    scenario(
        "rst_where_it_was_acked_to",
        "R has acked to there: it may have been missed",
        "open
         R A 1 100001
         O R 100001 win=0
         wait 4s",
        &[
            "implausible",
            "reset by=originator phase=established_no_data verdict=unverifiable \
             cause=no_connection evidence=wire_weak seen=whole",
        ],
    ),
    scenario(
        "rst_where_a_claim_has_acked_to",
        "the same with R's payload, which was missed in part as well",
        "open
         R PA 100001+10 100001
         O R 100001 win=0
         wait 4s",
        &[
            "implausible",
            "reset by=originator phase=established_no_data verdict=unverifiable \
             cause=no_connection evidence=wire_weak seen=whole",
        ],
    ),
    scenario(
        "rst_where_nobody_has_acked_to",
        "one byte beside it, or where its own sender has claimed to be",
        "open
         R A 1 100001
         O R 100002 win=0
         O PA 250001+10 1
         O R 250011 win=0
         wait 4s",
        &[
            "implausible",
            "rst_rejected by=originator verdict=future",
            "implausible",
            "rst_rejected by=originator verdict=future",
            "live established seen=whole",
        ],
    ),
];
