//! What one end claims to have sent or got, and the other bears out, or not.

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
        "acks_at_the_lower_edge",
        "an ack may be as old as the widest window that its end has offered",
        "open
         O PA 1+30000 1
         R A 1 30001
         O PA 30001+40000 1
         R A 1 70001
         R A 1 4465
         R A 1 4464",
        &["implausible", "live established"],
    ),
    scenario(
        "claim_that_acks_far_behind",
        "its receiver would not take it (RFC 5961 5.2): who acks there has got another",
        "open
         O PA 1+60000 1
         R A 1 60001
         O PA 60001+60000 1
         R A 1 120001
         R PA 1+100 50001
         O A 120001 101",
        &[
            "implausible",
            "implausible",
            "live established bytes=120000/0 seen=whole",
        ],
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
        "answer_seen_before_its_question",
        "two neighbours of different directions, swapped: nothing is missing",
        "open
         R PA 1+1000 101
         O PA 1+100 1
         O PA 101+100 1001
         R A 1001 201",
        &[
            "implausible",
            "implausible",
            "live established bytes=200/1000 seen=whole history=ShADa",
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
        "ack_behind_claimed_payload",
        "no FIN waits there: the ACK counts for itself",
        "open
         O PA 1+100 301
         O A 101 200001
         R PA 200001+100 1",
        &[
            "implausible",
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
        "bears_out_a_claim_from_behind_a_hole",
        "what is missing before it may come yet",
        "open
         R FPA 100001+100 1
         O A 51 100102",
        &[
            "implausible",
            "implausible",
            "live half_closed bytes=50/100100 seen=gaps history=ShAgf",
        ],
    ),
    scenario(
        "bears_out_a_claim_that_acks_more",
        "of which nobody knows whether it was sent",
        "open
         R FA 1 5001
         O A 51 2",
        &[
            "implausible",
            "implausible",
            "live half_closed bytes=50/0 seen=whole",
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
        "gap_where_the_window_is_closed",
        "what is exactly where it was acked needs no window",
        "O S 0 win=0 ws=6
         R S 0 ws=11
         O A 1 1 win=0
         O A 1 825 win=0
         R A 825 1",
        &[
            "implausible",
            "implausible",
            "established",
            "live established",
        ],
    ),
    scenario(
        "ack_far_beyond_a_gap",
        "what is beyond the window does not bear out the ack of a gap",
        "O FA 1 1
         R A 1 2
         O A 2 101
         R A 1000000 1",
        &[
            "implausible",
            "implausible",
            "live half_closed bytes=0/0 segments=1/1 lost=0/0 segments_after=0/1 \
             seen=midstream history=Fa",
        ],
    ),
    scenario(
        "payload_far_below_a_gap",
        "nor does what is far below",
        "R FA 1 1
         O A 0 1000000000 win=0
         R PA 3+100 1",
        &[
            "implausible",
            "implausible",
            "live half_closed bytes=0/0 segments=0/1 retransmits=0/0 seen=midstream \
             history=^f unanswered=0/0",
        ],
    ),
    scenario(
        "ack_of_more_than_was_claimed",
        "then it bears out nothing",
        "O FA 1 1
         O A 2+971 646
         R A 646 29729",
        &[
            "implausible",
            "implausible",
            "live half_closed segments=1/0 lost=0/- after=0/0 segments_after=0/0 \
             seen=midstream history=F",
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
        "claims_with_an_ack_far_off",
        "what they claim is taken, what they ack is not",
        "isn R 4294967295
         R S 0 ws=12
         O S 0 ws=2
         R PA 1+737 1342168140
         O A 1 738
         R PA 738+116 1342168140
         O A 1 854",
        &[
            "implausible",
            "implausible",
            "implausible",
            "implausible",
            "live syn_received bytes=853/0 segments=1/3",
        ],
    ),
    scenario(
        "claim_in_a_handshake",
        "the same before R was heard to say SYN",
        "O S 0 ws=9
         R A 1 1 win=0
         O PA 1+1069 90274884
         R A 1 1070 win=0
         R A 1 1070 win=42481",
        &[
            "implausible",
            "implausible",
            "live syn_received bytes=1069/0 history=Saw",
        ],
    ),
    scenario(
        "payload_that_was_claimed_before",
        "with a bad ack first: R has not acked it for that",
        "open
         O PA 1+100 5000
         O PA 1+100 1",
        &["implausible", "live established lost=100/0"],
    ),
    scenario(
        "gap_closed_by_its_sender",
        "what goes on beyond the gap needs nobody to bear it out; what follows \
         its FIN does",
        "R A 1 1
         O A 1 1
         R A 1 101
         O FA 201 1
         O PA 202+50 1",
        &[
            "implausible",
            "implausible",
            "live half_closed bytes=200/0 segments=2/1 segments_after=0/0 \
             seen=midstream+gaps history=^aAF",
        ],
    ),
    scenario(
        "hole_filled_then_acked_twice",
        "a hole is forgotten when it is filled",
        "open
         R PA 101+100 1
         R PA 1+100 1
         O A 1 201
         O A 1 201",
        &["live established history=ShAdt"],
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
    scenario(
        "fragment_beyond_the_window",
        "is no more plausible than any other segment",
        "open
         O PA 200001+100 1 fragment",
        &["implausible", "live established seen=gaps"],
    ),
    scenario(
        "fragment_is_acked_once",
        "what R acks later is not of it",
        "open
         O PA 1+1000 1 fragment
         R A 1 1601
         R A 1 1700",
        &[
            "implausible",
            "implausible",
            "live established bytes=1600/0 seen=gaps",
        ],
    ),
    scenario(
        "gap_by_ack_and_more",
        "R has acked what is below, and not what came",
        "open
         O PA 1+100 1
         R A 1 101
         R A 1 200101
         O PA 200101+100 1",
        &[
            "implausible",
            "implausible",
            "live established bytes=200200/0 lost=100/0 seen=gaps",
        ],
    ),
    scenario(
        "payload_beyond_a_hole_midstream",
        "where much was never seen, nothing is missing",
        "O A 1 1
         O PA 8456+7520 -384
         R PA -385+386 9681",
        &["live established history=ADd"],
    ),
    scenario(
        "first_payload_is_beyond_no_hole",
        "R's SYN-ACK was missed: before its first segment nothing is missing",
        "O S 0 ws=10
         O PA 1+1017 1 win=0
         R PA 3058+414 1
         O A 1018 3058 win=0",
        &["live established history=SDWdA"],
    ),
];
