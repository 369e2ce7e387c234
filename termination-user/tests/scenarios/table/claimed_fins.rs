//! FINs that did not fit when they were seen, and who bears them out.

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "fragmented_fin_below_an_ack",
        "of a first fragment the end is not known: its FIN may be above",
        "open
         R PA 1+100 1
         O A 1 101
         R FPA 1+60 1 fragment",
        &["live established seen=gaps"],
    ),
    scenario(
        "fin_behind_a_long_gap",
        "R acks into what O has claimed: that was genuine, and its FIN is as soon as it \
         is acked",
        "open
         O PA 1+100 1
         R A 1 101
         wait 20s
         O FPA 500001+100 1
         R A 1 500001
         R FA 1 500102
         O A 500102 2",
        &[
            "implausible",
            "implausible",
            "implausible",
            "graceful by=originator phase=closing holder=originator bytes=500100/0 seen=gaps",
        ],
    ),
    scenario(
        "forged_fin_behind_a_long_gap",
        "R acks into what was claimed, and O goes on elsewhere: no FIN",
        "open
         O PA 1+100 1
         R A 1 101
         wait 20s
         O FPA 500001+100 1
         R A 1 500001
         O PA 500001+50 1
         R A 1 500051
         O PA 500051+100 1
         R A 1 500151",
        &[
            "implausible",
            "implausible",
            "live established bytes=500150/0 seen=gaps",
        ],
    ),
    scenario(
        "goes_on_behind_its_fin",
        "a FIN that acks what is seen only later, and its sender speaks again: it stays",
        "open
         R FA 1 101
         O PA 1+100 1
         R A 2 101
         O FA 101 2
         R A 2 102",
        &[
            "implausible",
            "graceful by=responder phase=closing holder=responder bytes=100/0 seen=whole \
             first=responder",
        ],
    ),
    scenario(
        "goes_on_behind_a_crossing_fin",
        "what it acks is what it acked as a FIN: not the other one",
        "open
         R FA 1 101
         O FPA 1+100 1
         R A 2 102
         O A 102 2",
        &[
            "implausible",
            "half_closed",
            "graceful_simultaneous by=both phase=closing holder=both bytes=100/0",
        ],
    ),
    scenario(
        "goes_on_behind_an_answering_fin",
        "one that acked the other FIN, which was seen only later: O was first",
        "open
         R FA 1 102
         O FPA 1+100 1
         R A 2 102
         O A 102 2",
        &[
            "implausible",
            "half_closed",
            "graceful by=originator phase=closing holder=originator bytes=100/0 seen=whole",
        ],
    ),
    scenario(
        "one_direction_seen_late",
        "every answer is seen one segment late, and nothing is missing: a close as any",
        "open
         O PA 1+100 1
         O FA 101 1001
         R PA 1+1000 101
         O A 102 1002
         R FA 1001 102
         wait 61s",
        &[
            "implausible",
            "implausible",
            "graceful by=originator phase=closing holder=originator bytes=100/1000 \
             retransmits=0/0 seen=whole zeek=SF",
            "implausible",
            "time_wait expired restarts=0/0",
        ],
    ),
    scenario(
        "answers_missed_about_a_fin",
        "the burst between the request and the end was not captured",
        "open
         O PA 1+300 1
         R A 1 301
         O FA 301 1449
         O A 302 2897
         R FPA 2897+99 302
         O A 302 2997",
        &[
            "implausible",
            "implausible",
            "implausible",
            "graceful_half_close by=originator phase=closing holder=originator bytes=300/2995 \
             after=0/99 seen=gaps zeek=SF",
        ],
    ),
    scenario(
        "ack_after_the_fin_that_it_came_before",
        "swapped, and what both ack was not captured",
        "open
         O PA 1+150 1
         O FA 151 101
         O A 151 101
         R FA 101 152
         O A 152 102",
        &[
            "implausible",
            "implausible",
            "implausible",
            "graceful by=originator phase=closing holder=originator bytes=150/100 seen=gaps \
             zeek=SF",
        ],
    ),
    scenario(
        "window_update_about_a_claimed_fin",
        "an ACK that repeats itself takes nothing from what waits",
        "open
         O PA 1+100 1
         O FA 101 1001
         R PA 1+1000 101
         R A 1001 101 win=600
         R FA 1001 102
         O A 102 1002",
        &[
            "implausible",
            "implausible",
            "graceful by=originator phase=closing holder=originator bytes=100/1000 seen=whole \
             zeek=SF",
        ],
    ),
    scenario(
        "repeated_ack_into_a_claim",
        "the same by who has acked into it",
        "open
         R FPA 1+2000 151
         O A 151 1001
         O A 151 1001 win=600
         O A 151 2002
         O FA 151 2002
         R A 2002 152",
        &[
            "implausible",
            "implausible",
            "implausible",
            "graceful by=responder phase=closing holder=responder bytes=150/2000 zeek=SF",
        ],
    ),
    scenario(
        "claimed_fin_in_other_words",
        "what was taken for a FIN is one to others, too",
        "open
         O PA 1+100 1
         O FA 101 1001
         R PA 1+1000 101
         O A 102 1001
         R A 1001 102
         R FA 1001 102
         O A 102 1002",
        &[
            "implausible",
            "half_closed",
            "graceful by=originator phase=closing holder=originator bytes=100/1000 seen=whole \
             zeek=SF history=ShADdFaf",
        ],
    ),
    scenario(
        "ack_behind_a_fragmented_fin",
        "where a fragment ends is not known: the ACK counts for itself",
        "open
         O FPA 1+60 1 fragment
         O A 1 200001
         R PA 200001+100 1",
        &[
            "implausible",
            "implausible",
            "live established bytes=0/200100 seen=gaps",
        ],
    ),
    scenario(
        "ack_before_a_fin_far_from_all",
        "what is nearer counts for itself",
        "open
         O FPA 200001+100 200001
         wait 2s
         O A 1 100001
         R PA 100001+100 1",
        &[
            "implausible",
            "implausible",
            "implausible",
            "live established bytes=0/100100 seen=gaps",
        ],
    ),
    scenario(
        "ack_beyond_a_claimed_fin",
        "so that was none, and the ACK counts for itself",
        "open
         O FA 1 301
         O A 50 100001
         R PA 100001+100 1",
        &[
            "implausible",
            "implausible",
            "implausible",
            "live established bytes=0/100100 seen=gaps",
        ],
    ),
    scenario(
        "claimed_fin_behind_a_hole",
        "its request was missed, whoever bears it out",
        "open
         O FA 101 1001
         O A 102 1002
         R PA 1+1000 1
         R FA 1001 102",
        &[
            "implausible",
            "implausible",
            "graceful by=originator phase=closing holder=originator bytes=100/1000 seen=gaps",
            "implausible",
        ],
    ),
    scenario(
        "goes_on_before_its_claimed_fin",
        "it stands where it stood: no FIN",
        "open
         R FA 1 101
         O PA 1+100 1
         R A 1 101",
        &["implausible", "live established bytes=100/0 seen=whole"],
    ),
    scenario(
        "payload_behind_a_claimed_fin",
        "nothing comes behind a FIN, so it was none",
        "open
         R FA 1 101
         O PA 1+100 1
         R PA 2+50 101",
        &["implausible", "live established bytes=100/51"],
    ),
    scenario(
        "claimed_fin_that_was_refuted",
        "payload where the FIN was claimed, and then an ACK from there",
        "open
         R FA 1 101
         O PA 1+100 1
         R PA 1+100 101
         R A 2 101",
        &["implausible", "live established bytes=100/100 seen=whole"],
    ),
    scenario(
        "goes_on_before_a_fragmented_fin",
        "where that FIN is, nobody knows",
        "open
         O FPA 1+60 1 fragment
         O A 1 1",
        &["live established bytes=0/0 seen=gaps"],
    ),
    scenario(
        "goes_on_behind_a_claim_without_fin",
        "payload that acks what is seen only later: no FIN",
        "open
         R PA 1+100 101
         O PA 1+100 1
         R A 101 101
         O FA 101 101
         R A 101 102",
        &[
            "implausible",
            "half_closed",
            "live half_closed bytes=100/100",
        ],
    ),
    scenario(
        "fin_moved_up",
        "nobody has acked the FIN, so another takes its place",
        "R FPA 1+784 1
         R FA 786 1",
        &["live half_closed"],
    ),
    scenario(
        "second_fin_after_the_first_was_acked",
        "a FIN elsewhere and an ack of it: nothing moves",
        "open
         O FA 1 1
         R A 1 2
         O FA 2 1
         R A 1 3",
        &[
            "half_closed",
            "implausible",
            "implausible",
            "live half_closed",
        ],
    ),
    scenario(
        "ack_after_a_fin_tells_nothing",
        "beyond its own FIN an end says nothing that counts",
        "R FA 1 1
         R A 7466 201
         O PA 101+100 2",
        &["implausible", "live half_closed lost=100/0"],
    ),
    scenario(
        "payload_after_a_fin_twice",
        "an end does not bear out itself",
        "R FA 1 1
         R PA 2+100 1
         R A 102 1",
        &[
            "implausible",
            "implausible",
            "live half_closed bytes=0/0 segments=0/1 retransmits=0/0 after=0/0 \
             segments_after=0/0 seen=midstream history=^f",
        ],
    ),
    scenario(
        "fin_beyond_what_is_acked",
        "R bears out some of what O claims, and not its FIN",
        "open
         O FA 100001 1
         R A 1 50000",
        &[
            "implausible",
            "implausible",
            "live established bytes=49999/0 seen=gaps",
        ],
    ),
    scenario(
        "fin_that_acks_what_was_missed",
        "O bears out R's FIN, and so its ack of O's byte that nobody saw",
        "R PA 1+1239 1
         O PA 1+56081 1240
         R FA 1240 56083
         O A 56083 1241",
        &[
            "implausible",
            "implausible",
            "live half_closed lost=0/0 history=^dDGfA",
        ],
    ),
    scenario(
        "payload_after_a_fin_that_was_none",
        "replies to nothing",
        "open
         R FA 51 1
         R PA 1+100 1
         O A 1 101
         O PA 1+10 101
         O FA 11 101",
        &["implausible", "implausible", "live half_closed after=0/0"],
    ),
];
