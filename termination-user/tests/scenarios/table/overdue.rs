//! Timers that ran out while nobody looked, and then a SYN took the tuple: what
//! had ended by then has ended as, and when, its timer says.

use super::{Scenario, scenario};

/// Another connection's handshake on the same tuple.
macro_rules! taken {
    ($name:literal, $description:literal, $packets:literal, $ending:literal) => {
        scenario(
            $name,
            $description,
            concat!(
                $packets,
                "\nO S 500000 ws=7\nR SA 900000 500001 ws=7\nO A 500001 900001"
            ),
            &[$ending, "live established segments=2/1 seen=whole"],
        )
    };
}

pub(super) const TABLE: &[Scenario] = &[
    taken!(
        "doubt_overtaken",
        "an RST in doubt that nothing refuted",
        "open\nO PA 1+100 1\nR A 1 101\nR R 1000 win=0\npass 5s",
        "reset by=responder phase=first_data verdict=in_window cause=no_connection \
         evidence=wire_weak segments=3/3 duration=4|5 ended=4|5"
    ),
    taken!(
        "silence_overtaken",
        "retransmissions without an answer",
        "open\nO PA 1+100 1\npass 1s\nO PA 1+100 1\npass 400s",
        "half_open_silent by=responder phase=first_data cause=retransmit_timeout \
         evidence=wire_weak duration=1003|1004 ended=301002|301003|301004"
    ),
    taken!(
        "idle_overtaken",
        "nobody has said anything for long",
        "open\nO PA 1+100 1\nR PA 1+100 101\nO A 101 101\npass 9000s",
        "idle_expired by=nobody phase=transfer ended=7875005|7875006"
    ),
    taken!(
        "attempt_overtaken",
        "a SYN that nobody answered",
        "O S 0 ws=7\npass 100s",
        "unanswered by=responder phase=syn_sent ended=60000"
    ),
    taken!(
        "handshake_overtaken",
        "a SYN-ACK that nobody acked",
        "O S 0 ws=7\nR SA 0 1 ws=7\npass 100s",
        "handshake_unacked by=originator phase=syn_received ended=60000|60001"
    ),
    taken!(
        "half_close_overtaken",
        "one FIN, acked",
        "open\nO FA 1 1\nR A 1 2\npass 4000s",
        "half_closed_abandoned by=originator phase=half_closed ended=3600004|3600003"
    ),
    taken!(
        "fin_overtaken",
        "one FIN, not acked",
        "open\nO FA 1 1\npass 301s",
        "fin_unanswered by=originator phase=half_closed ended=300002|300003"
    ),
    taken!(
        "last_ack_overtaken",
        "two FINs, and one ack",
        "open\nO FA 1 1\nR FA 1 2\npass 61s",
        "graceful_unconfirmed by=originator phase=closing ended=60003|60004"
    ),
    scenario(
        "attempt_overtaken_by_the_other_end",
        "no simultaneous open: the first was over",
        "O S 0 ws=7\npass 100s\nR S 50 ws=7\nO SA 700 51 ws=7",
        &[
            "unanswered by=responder phase=syn_sent ended=60000",
            "live syn_received segments=1/1",
        ],
    ),
    scenario(
        "overtaken_in_time",
        "before the timer, the tuple is taken once the SYN is accepted",
        "open\nO PA 1+100 1\npass 1s\nO PA 1+100 1\npass 299s\nO S 5000 ws=7\nR SA 9000 5001 ws=7",
        &[
            "superseded by=originator phase=first_data ended=300007|300006",
            "live syn_received segments=1/1",
        ],
    ),
    scenario(
        "accepted_behind_a_doubt",
        "who accepts a SYN within the wait has believed the RST before it",
        "open\nO PA 1+100 1\nR A 1 101\nR R 1000 win=0\npass 1s
         O S 500000 ws=7\nR SA 900000 500001 ws=7\nO A 500001 900001",
        &[
            "reset by=responder phase=first_data verdict=in_window cause=no_connection \
             evidence=wire_weak segments=3/3 duration=4|5 ended=4|5",
            "live established segments=2/1 seen=whole bytes=0/0",
        ],
    ),
    scenario(
        "accepted_behind_the_own_doubt",
        "the same of the RST's sender, without scale, and the other end calls",
        "open\nO PA 1+100 1\nR A 1 101\nO R 700 win=0\npass 1s
         R S 500000 win=300\nO SA 900000 500001\nR A 500001 900001 win=200",
        &[
            "reset by=originator phase=first_data verdict=in_window cause=no_connection evidence=wire_weak \
             segments=4/2",
            "live established segments=2/1 seen=whole",
        ],
    ),
    scenario(
        "challenged_behind_a_doubt",
        "a challenge ACK refutes the RST; the SYN waits on, and the old end is found out",
        "open\nO PA 1+100 1\nR PA 1+100 101\nO A 101 101\nR R 1000 win=0\nR S 500000 ws=7
         O A 101 101\nR R 101 win=0\nR S 500000 ws=7\nO SA 900000 500001 ws=7",
        &[
            "rst_rejected by=responder verdict=in_window",
            "challenge_ack",
            "half_open_discovered_by_syn by=responder phase=transfer verdict=exact \
             cause=bad_ack evidence=wire_strong",
            "live syn_received segments=2/1",
        ],
    ),
    scenario(
        "refused_behind_a_doubt",
        "nobody accepts it: the RST stands by its timer",
        "open\nO PA 1+100 1\nR A 1 101\nR R 1000 win=0\npass 1s\nO S 500000 ws=7\nwait 3s",
        &[
            "reset by=responder phase=first_data verdict=in_window cause=no_connection \
             evidence=wire_weak segments=3/3",
        ],
    ),
    scenario(
        "own_syn_ack_behind_a_doubt",
        "nobody accepts its own SYN",
        "open\nO PA 1+100 1\nR A 1 101\nR R 1000 win=0\npass 1s\nO S 500000 ws=7\n\
         O SA 700000 =1500001\nwait 4s",
        &[
            "implausible",
            "reset by=responder phase=first_data verdict=in_window cause=no_connection \
             evidence=wire_weak segments=3/3",
        ],
    ),
    scenario(
        "old_syn_ack_behind_a_doubt",
        "the SYN-ACK of the handshake comes again: it acks another SYN",
        "open\nO PA 1+100 1\nR A 1 101\nR R 1000 win=0\npass 1s\nO S 500000 ws=7\n\
         R SA 0 1 ws=7\nwait 4s",
        &[
            "reset by=responder phase=first_data verdict=in_window cause=no_connection \
             evidence=wire_weak segments=3/4 retransmits=0/1",
        ],
    ),
    scenario(
        "two_attempts_behind_a_doubt",
        "the later one counts, with what it offers and nothing of the other",
        "open\nO PA 1+100 1\nR A 1 101\nR R 1000 win=0\npass 1s\nR S 500000 ws=7\n\
         O S 600000 win=300\nR SA 900000 600001\nO A 600001 900001 win=200\n\
         R PA 900001+1000 600001\nR PA 900001+200 600001",
        &[
            "reset by=responder phase=first_data verdict=in_window cause=no_connection \
             evidence=wire_weak",
            "implausible",
            "live established segments=2/2 bytes=0/200",
        ],
    ),
    scenario(
        "scaled_attempt_behind_a_doubt",
        "what its SYN offered holds: data as far on as its scaled window",
        "open\nO PA 1+100 1\nR A 1 101\nR R 1000 win=0\npass 1s\nO S 500000 ws=7\n\
         R SA 900000 500001 ws=7\nO A 500001 900001\nR PA 900001+1400 500001 gso=1\n\
         R PA 959001+1000 500001",
        &[
            "reset by=responder phase=first_data verdict=in_window cause=no_connection \
             evidence=wire_weak",
            "live established segments=2/3 bytes=0/60000",
        ],
    ),
    scenario(
        "unverifiable_before_an_attempt",
        "the doubt keeps its verdict, whatever waits behind it",
        "O PA 1+100 1\nR A 1 101\nO A 101 1\nR R 70000 win=0\nR S 500000 ws=7\n\
         R PA 1+100 101",
        &[
            "rst_rejected by=responder verdict=unverifiable",
            "live established",
        ],
    ),
    scenario(
        "one_doubt_after_another",
        "the second has an ending of its own, and nothing of the first",
        "open\nO PA 1+100 1\nR A 1 101\nR R 1000 win=0\nR PA 1+100 101\nO A 101 101\n\
         O RA 700 101\nwait 4s",
        &[
            "rst_rejected by=responder verdict=in_window",
            "reset by=originator phase=transfer verdict=in_window cause=active_abort \
             evidence=wire_weak",
        ],
    ),
    scenario(
        "newer_life_defeats_a_timer",
        "its own SYN again, and payload after hours of silence: it goes on",
        "O S 0 ws=7\npass 100s\nO S 0 ws=7\nR SA 0 1 ws=7\nO A 1 1\npass 9000s\nO PA 1+10 1",
        &["live established retransmits=1/0 segments=4/1"],
    )
    .needs_hooks(),
    scenario(
        "missed",
        "hooks were away for a while: what lives has gaps, what has ended has not",
        "open\nO PA 1+100 1\nR A 1 101\nmissed\nR R 1000 win=0\npass 5s\nmissed\nwait 1s\nmissed",
        &[
            "reset by=responder phase=first_data verdict=unverifiable cause=no_connection \
             evidence=wire_weak seen=gaps",
        ],
    )
    .needs_hooks(),
    scenario(
        "missed_after_the_ending",
        "nothing after the ending changes the ending",
        "open\nR A 1 1\nO RA 1 1\nmissed\nO A 1 1\nwait 20s",
        &[
            "reset by=originator phase=established_no_data verdict=exact cause=active_abort \
             evidence=wire_strong seen=whole",
            "stray_segment",
        ],
    )
    .needs_hooks(),
    scenario(
        "seen_elsewhere_too",
        "what passes another hook as well is remembered until the ending",
        "open\nO A 1 1 home=77\nR A 1 1",
        &["seen_elsewhere", "live established elsewhere=1"],
    )
    .needs_hooks(),
    scenario(
        "seen_elsewhere_and_in_doubt",
        "and costs the ending nothing",
        "open\nO PA 1+100 1\nR A 1 101\nR A 1 101 home=77\nR R 1000 win=0\nwait 4s",
        &[
            "seen_elsewhere",
            "reset by=responder phase=first_data verdict=in_window cause=no_connection \
             evidence=wire_weak",
        ],
    )
    .needs_hooks(),
];
