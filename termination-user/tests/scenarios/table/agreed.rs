//! Whose words about what was missed agree with each other, and whose do not.

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "far_and_contradicted_long_ago",
        "what fits has refuted the first claim: the second is alone, however late",
        "open
         O PA 1+100 1
         R A 1 101
         O PA 200101+100 300001
         R PA 1+10 101
         wait 2s
         R PA 300001+100 200201
         O PA 101+10 11
         R A 11 111",
        &[
            "implausible",
            "implausible",
            "live established bytes=110/10 seen=whole",
        ],
    ),
    scenario(
        "far_behind_a_hole",
        "a hole is no claim: two that come after it are as new",
        "open
         O PA 1+100 1
         O PA 201+100 1
         wait 2s
         O PA 200101+100 300001
         R PA 300001+100 200201
         O PA 301+10 1
         R A 1 311",
        &["implausible", "implausible", "live established bytes=310/0"],
    ),
    scenario(
        "far_beside_a_nearer_claim",
        "R's claim is near, O's answer far from all that was seen: it waits, and an ACK \
         at hand is the better word",
        "open
         O PA 1+30000 1
         R PA 70001+100 30001
         O PA 70000+100 70101
         O A 30001 70101
         R A 70101 30001",
        &[
            "implausible",
            "implausible",
            "implausible",
            "live established bytes=30000/70100 lost=0/0 seen=gaps",
        ],
    ),
    scenario(
        "a_claim_that_is_not_acked",
        "O goes on beyond the window as well, but says nothing of R's claim",
        "open
         O PA 1+30000 1
         R PA 70001+100 30001
         O PA 70000+100 1
         R A 1 30001",
        &[
            "implausible",
            "implausible",
            "live established bytes=30000/0 lost=0/0 seen=whole",
        ],
    ),
    scenario(
        "far_ack_and_its_data",
        "R goes on where O's far ack has got, at once: that, too, waits",
        "open
         O A 200101 300001
         R PA 300001+100 1
         O PA 1+10 1
         R A 1 11",
        &[
            "implausible",
            "implausible",
            "live established bytes=10/0 seen=whole",
        ],
    ),
    scenario(
        "far_acks_at_once",
        "R's ACK says as much of O as O's of R: O goes on there later",
        "open
         O PA 1+100 1
         R A 1 101
         O A 200101 300001
         R A 300001 200101
         wait 2s
         O PA 200101+100 300001",
        &[
            "implausible",
            "implausible",
            "implausible",
            "live established bytes=200200/300000 seen=gaps",
        ],
    ),
    scenario(
        "stood_elsewhere",
        "O acks the same from another place: that is the news, and R has got there",
        "open
         O PA 1+100 501
         O A 301 501
         R A 501 301",
        &[
            "implausible",
            "implausible",
            "implausible",
            "live established bytes=300/500 lost=0/0 seen=gaps",
        ],
    ),
    scenario(
        "acked_more_from_there",
        "O acks more from the same place: that is what R has sent and O has got",
        "open
         O PA 1+100 501
         O A 101 601
         R A 601 101",
        &[
            "implausible",
            "implausible",
            "implausible",
            "live established bytes=100/600 lost=0/0 seen=gaps",
        ],
    ),
    scenario(
        "only_one_was_missed",
        "R's ack is ahead of O's data; of R nothing was missed",
        "open
         O PA 1+100 1
         R A 1 101
         R A 1 200101
         O PA 200101+100 1",
        &[
            "implausible",
            "implausible",
            "live established bytes=200200/0 seen=gaps history=ShADaG",
        ],
    ),
    scenario(
        "far_acks_a_window_apart",
        "O stood a window beyond what R has acked: as far as it may",
        "open
         O PA 1+100 1
         R A 1 101
         O A 200101 300001
         wait 2s
         R A 300001 134565",
        &[
            "implausible",
            "implausible",
            "live established bytes=134564/300000 seen=gaps",
        ],
    ),
    scenario(
        "far_acks_more_than_a_window_apart",
        "one byte more, and they do not agree",
        "open
         O PA 1+100 1
         R A 1 101
         O A 200101 300001
         wait 2s
         R A 300001 134564",
        &[
            "implausible",
            "implausible",
            "live established bytes=100/0 seen=whole",
        ],
    ),
    scenario(
        "far_data_to_the_windows_edge",
        "R goes on a window beyond O's ack: as far as it may",
        "open
         O PA 1+100 1
         R A 1 101
         O PA 200101+100 300001
         wait 2s
         R PA 365437+100 200201",
        &[
            "implausible",
            "implausible",
            "live established bytes=200200/365536 seen=gaps",
        ],
    ),
    scenario(
        "far_data_beyond_the_windows_edge",
        "one byte more, and they do not agree",
        "open
         O PA 1+100 1
         R A 1 101
         O PA 200101+100 300001
         wait 2s
         R PA 365438+100 200201",
        &[
            "implausible",
            "implausible",
            "live established bytes=100/0 seen=whole",
        ],
    ),
    scenario(
        "seen_before_its_window",
        "O goes on behind what was beyond its window as the observer knew it: all was seen",
        "open
         O PA 1+60000 1
         O PA 65487+100 1
         O PA 60001+5486 1
         R A 1 65487
         O PA 65587+10 1",
        &["implausible", "live established bytes=65596/0 seen=whole"],
    ),
    scenario(
        "syn_ack_after_what_was_missed",
        "R's payload was missed and acked: its SYN-ACK, late, takes nothing back",
        "O S 0 ws=7
         O A 1 1
         O A 1 101
         R SA 0 1 ws=7",
        &["live established bytes=0/100 seen=gaps"],
    ),
    scenario(
        "acked_before_its_late_syn",
        "R acks the payload of O's SYN, which is seen last: nothing was missed",
        "isn R 2000000
         R SA 0 1
         O A 1 1
         R A 1 21
         O S 0+20
         R A 1 21",
        &[
            "established",
            "implausible",
            "live established bytes=20/0 seen=whole",
        ],
    ),
    scenario(
        "far_beside_a_nearer_claim_of_old",
        "the same while R goes on from where it was: its claim is as new as that",
        "open
         O PA 1+30000 1
         R PA 70001+100 30001
         wait 2s
         R PA 1+10 1
         O PA 70000+100 70101
         O A 30001 70101
         R A 70101 30001",
        &[
            "implausible",
            "implausible",
            "implausible",
            "live established bytes=30000/70100 seen=gaps",
        ],
    ),
    scenario(
        "far_after_a_nearer_claim",
        "nobody has spoken for R's claim in time: what is far takes its place",
        "open
         O PA 1+100 1
         R PA 70001+100 101
         wait 2s
         O PA 200101+100 300001
         R PA 300001+100 200201",
        &[
            "implausible",
            "implausible",
            "implausible",
            "live established bytes=200200/300100 seen=gaps",
        ],
    ),
    scenario(
        "far_behind_its_own_fin",
        "far as well from O's own FIN: whoever acks it at once is alone with it",
        "open
         O FA 1 1
         O PA 200001+100 300001
         R A 1 200101",
        &[
            "implausible",
            "implausible",
            "live half_closed bytes=0/0 seen=whole",
        ],
    ),
];
