//! What is missing between what was seen of one end, and whether it comes late.

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "hole",
        "bytes that R acks and nobody saw are a gap",
        "open
         O PA 1+100 1
         O PA 201+100 1
         R A 1 301",
        &["live established bytes=300/0 seen=gaps history=ShADaG"],
    ),
    scenario(
        "hole_before_a_fin",
        "the same of what is missing before a FIN that has no payload",
        "open
         O PA 1+100 1
         O FA 201 1
         R A 1 202
         R FA 1 202
         O A 202 2",
        &[
            "half_closed",
            "graceful by=originator phase=closing holder=originator bytes=200/0 seen=gaps \
             history=ShADFaGf",
        ],
    ),
    scenario(
        "hole_before_a_fin_filled",
        "reordered, and nothing is missing",
        "open
         O FA 101 1
         O PA 1+100 1
         R FA 1 102
         O A 102 2",
        &["graceful by=originator phase=closing holder=originator bytes=100/0 seen=whole"],
    ),
    scenario(
        "hole_before_an_ack",
        "an ACK says where its sender stands: what is before it was sent",
        "open
         O PA 1+100 1
         O A 201 1
         R A 1 201",
        &["live established bytes=200/0 seen=gaps history=ShADaG"],
    ),
    scenario(
        "hole_before_an_ack_filled",
        "an ACK that has overtaken payload: nothing is missing",
        "open
         O A 101 1
         O PA 1+100 1
         R A 1 101",
        &["live established bytes=100/0 seen=whole history=ShADTa"],
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
        "hole_of_each_end",
        "one after the other: two gaps",
        "open
         O PA 1+100 1
         O PA 201+100 1
         R A 1 301
         R PA 101+100 301
         O A 301 201",
        &["live established bytes=300/200 seen=gaps history=ShADaGdg"],
    ),
    scenario(
        "hole_filled_from_its_end",
        "reordered, and nothing is missing",
        "open
         R PA 2001+1000 1
         R PA 1001+1000 1
         R PA 1+1000 1
         O A 1 3001",
        &["live established bytes=0/3000 seen=whole"],
    ),
    scenario(
        "hole_filled_from_its_end_but_for_a_byte",
        "that byte is missing",
        "open
         R PA 2001+1000 1
         R PA 1001+1000 1
         R PA 2+999 1
         O A 1 3001",
        &["live established bytes=0/3000 seen=gaps"],
    ),
    scenario(
        "hole_filled_in_its_middle",
        "and from its start up to there: the rest is missing",
        "open
         R PA 3001+1000 1
         R PA 1001+500 1
         R PA 1+1000 1
         O A 1 4001",
        &["live established bytes=0/4000 seen=gaps"],
    ),
    scenario(
        "long_hole_filled_in_its_middle",
        "its end is not known to the byte: the rest is missing",
        "open
         O A 1 1 win=2000
         R PA 100001+1000 1
         R PA 40001+30000 1
         R PA 1+40000 1
         O A 1 101001",
        &["live established bytes=0/101000 seen=gaps"],
    ),
    scenario(
        "hole_after_a_keepalive",
        "an ACK that repeats itself is no reason to miss it",
        "open
         O PA 1+100 1
         R A 1 101
         wait 75s
         O A 100 1
         R A 1 101
         wait 75s
         O PA 301+200 1
         R A 1 501",
        &["live established bytes=500/0 seen=gaps"],
    ),
    scenario(
        "hole_and_repeated_acks",
        "nor is one that repeats itself for the sake of the hole",
        "open
         O PA 1+100 1
         R A 1 101
         O PA 201+100 1
         R A 1 101
         R A 1 101
         R A 1 301",
        &["live established bytes=300/0 seen=gaps"],
    ),
    scenario(
        "blind_rst_after_a_hole",
        "what was missed is acked, and where the ends stand is known",
        "open
         O PA 1+100 1
         R A 1 101
         R PA 1001+1000 101
         O A 101 2001
         wait 1s
         R R =900000000 win=0
         R R 1 win=0
         wait 20s
         R PA 2001+10 101
         O A 101 2011",
        &[
            "rst_rejected by=responder verdict=old",
            "rst_rejected by=responder verdict=old",
            "live established bytes=100/2010 seen=gaps",
        ],
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
];
