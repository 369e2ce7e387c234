//! The level `closing` again: told apart by one condition, of connections that
//! were left alone or may not be.

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "closing_overtaken",
        "a SYN after hours in which nobody looked: whether it was idle is not known",
        "open
         pass 9000s
         O S 50000 ws=7
         R SA 700000 50001 ws=7
         O A 50001 700001",
        &[
            "superseded by=originator phase=- bytes=-/-",
            "live established",
        ],
    ),
    scenario(
        "closing_idle_and_far_on",
        "what answers the mark may have got anywhere meanwhile",
        "open
         wait 7876s
         O PA 2100000001+100 1700000001
         wait 7874s",
        &["live established seen=whole"],
    ),
    scenario(
        "closing_suspects_nobody",
        "nor is anybody suspected before the FIN's timer",
        "open
         O FA 1 1
         wait 1s
         O FA 1 1
         wait 20s
         O FA 1 1
         wait 301s",
        &[
            "fin_unanswered by=originator phase=half_closed cause=retransmit_timeout \
             evidence=wire_weak",
        ],
    ),
    scenario(
        "closing_handshake_over_zero",
        "a SYN of the last number: what is new is not of the past",
        "isn O 4294967295
         O S 0 ws=7
         R SA 0 1 ws=7
         O R 1 win=0",
        &[
            "handshake_reset by=originator phase=syn_received verdict=exact cause=no_connection evidence=wire_strong",
        ],
    ),
    scenario(
        "closing_unanswered",
        "an attempt is not asked whether it lives",
        "O S 0 ws=7
         wait 61s",
        &["unanswered by=responder phase=syn_sent"],
    ),
    scenario(
        "closing_syn_again",
        "nor is its silence doubted",
        "O S 0 ws=7
         wait 1s
         O S 0 ws=7",
        &["live syn_sent unanswered=1/0 retransmits=1/0"],
    ),
    scenario(
        "closing_ack_of_nothing",
        "a handshake is judged as ever",
        "O S 0 ws=7
         R SA 0 1 ws=7
         O A 1 5001",
        &["implausible", "live syn_received"],
    ),
    scenario(
        "closing_copy_elsewhere",
        "what passes another hook is nobody's word",
        "open
         O FA 101 1
         R A 70001 90000001 home=77",
        &["seen_elsewhere", "live half_closed"],
    )
    .needs_hooks(),
    scenario(
        "closing_attempt_and_silence",
        "retransmissions that are seen, for an attempt waits: silence is no finding",
        "open
         O S 50000 ws=7
         R PA 1+100 1
         R PA 1+100 1
         wait 301s",
        &["live established unanswered=0/0"],
    ),
    scenario(
        "closing_attempt_of_the_other_end_and_silence",
        "the same, O asks",
        "open
         R S 50000 ws=7
         O PA 1+100 1
         O PA 1+100 1
         wait 301s",
        &["live established unanswered=0/0"],
    ),
    scenario(
        "closing_probe_and_abort",
        "nor is a probe, of which the answer may have passed",
        "open
         R S 50000 ws=7
         O A 1 1
         R A 1 1
         O A 0 1
         O RA 1 1",
        &[
            "reset by=originator phase=established_no_data verdict=exact cause=active_abort evidence=wire_strong",
        ],
    ),
    scenario(
        "closing_probe_and_abort_of_the_responder",
        "the same, R probes",
        "open
         O S 50000 ws=7
         R A 1 1
         O A 1 1
         R A 0 1
         R RA 1 1",
        &[
            "reset by=responder phase=established_no_data verdict=exact cause=active_abort evidence=wire_strong",
        ],
    ),
    scenario(
        "closing_fin_minus_one",
        "the number of its own FIN says enough, whatever its receiver has got",
        "open
         O FA 101 1
         O R 101 win=0",
        &["reset_after_own_fin by=originator phase=half_closed verdict=fin_minus_one"],
    ),
    scenario(
        "closing_backlog_of_the_past",
        "payload under way when it was left alone is so no more",
        "open
         O S 50000 ws=7
         R PA 1+100 1
         O PA 1+10 1
         R PA 101+100 11
         R RA 5201 11
         R PA 201+100 11
         R S 90000 ws=7
         R A 301 11
         O R 11 win=0
         wait 4s",
        &[
            "rst_rejected by=responder verdict=in_window",
            "reset by=originator phase=transfer verdict=unverifiable cause=no_connection evidence=wire_weak",
        ],
    ),
    scenario(
        "closing_window_of_the_past",
        "nor the window: R acks a FIN that replaced the first, and has said nothing else that counts",
        "open
         O FA 101 5001
         R FA 101 101
         R A 102 901
         O FA 900 101
         O RA 80000 101
         wait 4s",
        &[
            "implausible",
            "implausible",
            "half_closed",
            "reset_after_own_fin by=originator phase=half_closed verdict=in_window \
             cause=active_abort evidence=wire_weak",
        ],
    ),
    scenario(
        "closing_sack_of_the_past",
        "neither is what was sacked then",
        "O S 0 ws=7
         R SA 0 1 ws=7
         O A 1 1 sack=501-601
         O S 50000 ws=7
         R A 1 1
         R R 601 win=0
         wait 4s",
        &["reset by=responder phase=- verdict=unverifiable cause=no_connection evidence=wire_weak"],
    ),
    scenario(
        "closing_reset_at_the_edge",
        "data from the largest window before the RST may be older",
        "open
         O RA 8388681 1
         O PA 101+100 1
         wait 4s",
        &["reset by=originator phase=- verdict=unverifiable cause=active_abort evidence=wire_weak"],
    ),
    scenario(
        "closing_reset_beyond_any_window",
        "data from before that is not",
        "open
         O RA 8388682 1
         O PA 101+100 1",
        &[
            "rst_rejected by=originator verdict=unverifiable",
            "live established",
        ],
    ),
    scenario(
        "closing_payload_by_numbers",
        "how far both have got shows that payload went",
        "open
         O S 50000 ws=7
         R A 201 101
         R SA 700000 50001 ws=7",
        &[
            "superseded by=originator phase=transfer",
            "live syn_received",
        ],
    ),
    scenario(
        "closing_no_payload_by_numbers",
        "or that none did",
        "open
         O S 50000 ws=7
         O A 1 1
         R A 1 1
         R SA 700000 50001 ws=7",
        &[
            "superseded by=originator phase=established_no_data bytes=0/0",
            "live syn_received",
        ],
    ),
    scenario(
        "closing_ack_before_what_it_acks",
        "one CPU is ahead of the other: the first word counts as far as it goes",
        "open
         O S 50000 ws=7
         O A 1 1
         R A 1 701",
        &["live established bytes=700/0"],
    ),
    scenario(
        "closing_ack_of_less",
        "an ack of what came before the FIN takes nothing back",
        "open
         O FA 101 1
         R PA 1+50 51
         R A 51 102
         R FA 51 102
         O A 102 52",
        &["graceful by=originator phase=closing holder=originator bytes=100/50"],
    ),
    scenario(
        "closing_fin_is_no_payload",
        "O had sent its FIN and nothing else, until that was refuted",
        "O S 0 ws=11
         O A 1 1
         O FA 1 1
         R A 22 2
         O PA 2+1200 1
         R A 22 1202
         O RA 1202 22",
        &[
            "implausible",
            "implausible",
            "reset by=originator phase=first_data verdict=exact cause=active_abort evidence=wire_strong",
        ],
    ),
    scenario(
        "closing_one_sided",
        "of an end that has said nothing plausible nothing is counted",
        "O S 0 ws=7
         O A 1 1
         O FA 101 5001
         R FA 101 101",
        &["implausible", "live half_closed bytes=100/0"],
    ),
    scenario(
        "closing_idle_and_reset",
        "what clears the mark says nothing else",
        "open
         wait 7876s
         O PA 5001+100 8001
         O RA 5101 8001
         wait 4s",
        &[
            "reset by=originator phase=- verdict=unverifiable cause=active_abort evidence=wire_weak bytes=-/-",
        ],
    ),
];
