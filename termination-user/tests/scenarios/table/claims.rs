//! What one end claims to have sent or got, and the other bears out, or not.

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
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
