//! Connections that the observer meets in the middle: their first words, and windows
//! whose scale was missed.

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "keepalive_met_midstream",
        "a probe is one below what is next: nothing is missing, and its byte is none",
        "O A 0 1
         R A 1 1
         wait 75s
         O A 0 1
         R A 1 1
         O PA 1+100 1
         R A 1 101",
        &["live established bytes=100/0 segments=3/3 seen=midstream history=AaD"],
    ),
    scenario(
        "keepalive_with_a_byte_met_midstream",
        "the same of those that carry one (RFC 9293 3.8.4)",
        "O PA 0+1 1
         R A 1 1
         wait 75s
         O PA 0+1 1
         R A 1 1
         O PA 1+100 1
         R A 1 101",
        &["live established segments=3/3 retransmits=0/0 seen=midstream"],
    ),
    scenario(
        "answer_met_before_its_keepalive",
        "what was acked before it is seen was sent before",
        "R A 1 1
         wait 75s
         O A 0 1
         R A 1 1
         O PA 1+100 1
         R A 1 101",
        &["live established bytes=100/0 segments=2/3 seen=midstream"],
    ),
    scenario(
        "closed_by_the_server_after_keepalives",
        "the usual end of a connection in a pool: nobody waits for the client",
        "O A 0 1
         R FA 1 1
         O A 1 2
         O FA 1 2
         R A 2 2",
        &[
            "half_closed",
            "graceful by=responder phase=closing holder=responder bytes=0/0 seen=midstream",
        ],
    ),
    scenario(
        "first_word_acks_what_was_missed",
        "exactly where it was expected: it is believed, and so is its FIN",
        "O A 1 1
         R PA 1+100 301
         R FA 101 301
         O A 301 102
         O FA 301 102
         R A 102 302",
        &[
            "half_closed",
            "graceful by=responder phase=closing holder=responder bytes=300/100 seen=midstream+gaps",
        ],
    ),
    scenario(
        "first_word_beside_what_was_expected",
        "one off, and what it acks is only a claim",
        "O A 1 1
         R A 2 301",
        &[
            "implausible",
            "live established bytes=0/0 segments=1/0 seen=midstream",
        ],
    ),
    scenario(
        "keepalive_timeout_met_midstream",
        "probes that nobody answers, and the RST that follows (net/ipv4/tcp_timer.c)",
        "O A 0 1
         R A 1 1
         wait 75s
         O A 0 1
         wait 75s
         O A 0 1
         wait 75s
         O RA 1 1",
        &[
            "half_open_suspected",
            "reset by=originator phase=midstream verdict=exact cause=keepalive_timeout \
             evidence=wire_strong bytes=0/0",
        ],
    ),
    scenario(
        "download_whose_scale_was_missed",
        "as far ahead as the largest scale allows, while the ack is what is expected",
        "O PA 1+300 1 win=1000
         R A 1 301
         R PA 1+60000 301
         R PA 60001+60000 301
         R PA 120001+60000 301
         R FA 180001 301
         O A 301 60001 win=1000
         O A 301 180002 win=1000
         O FA 301 180002 win=1000
         R A 180002 302",
        &[
            "half_closed",
            "graceful by=responder phase=closing holder=responder bytes=300/180000 seen=midstream",
        ],
    ),
    scenario(
        "upload_whose_scale_was_missed",
        "its first ack is far behind, and the FIN of the reader counts",
        "O PA 1+60000 1
         O PA 60001+60000 1
         O PA 120001+60000 1
         R A 1 10001 win=1000
         R FA 1 50001 win=1000
         O PA 180001+60000 2
         R A 2 240001 win=1000
         O FA 240001 2
         R A 2 240002 win=1000",
        &[
            "half_closed",
            "graceful_half_close by=responder phase=closing holder=responder bytes=240000/0 seen=midstream",
        ],
    ),
    scenario(
        "syn_missed_and_so_a_scale",
        "R has scaled, so O offered it, and nobody knows how much",
        "R SA 0 1 ws=7
         O A 1 1 win=1000
         O PA 1+300 1 win=1000
         R PA 1+60000 301
         R PA 60001+60000 301
         R FA 120001 301
         O A 301 120002 win=1000
         O FA 301 120002 win=1000
         R A 120002 302",
        &[
            "established",
            "half_closed",
            "graceful by=responder phase=closing holder=responder bytes=300/120000 seen=whole",
        ],
    ),
    scenario(
        "far_ahead_with_another_ack",
        "an ack that is not what is expected proves nothing",
        "O PA 1+300 1 win=1000
         R A 1 301
         R PA 100001+100 300",
        &[
            "implausible",
            "live established bytes=300/0 segments=1/1 seen=midstream",
        ],
    ),
    scenario(
        "further_than_any_scale",
        "no window reaches there: ten are 160 KiB at most",
        "O PA 1+300 1 win=10
         R A 1 301
         R PA 163742+100 301",
        &[
            "implausible",
            "live established bytes=300/0 segments=1/1 seen=midstream",
        ],
    ),
    scenario(
        "as_far_as_any_scale",
        "ten are 160 KiB, to the byte; a hole that nobody fills is no more than that",
        "O PA 1+300 1 win=10
         R A 1 301
         R PA 163741+100 301",
        &["live established bytes=300/163840 segments=1/2 seen=midstream"],
    ),
    scenario(
        "scale_that_was_learnt",
        "what was offered once holds for what acks less as well, and no more does",
        "O PA 1+300 1 win=10
         R A 1 301
         R PA 70001+100 301
         R PA 70101+100 300
         R PA 90001+100 300",
        &[
            "implausible",
            "live established bytes=300/70200 segments=1/3 seen=midstream",
        ],
    ),
    scenario(
        "scale_that_was_learnt_of_acks",
        "the same of how far acks may be behind",
        "O PA 1+60000 1
         O PA 60001+60000 1
         R A 1 30001 win=10
         R PA 1+100 40001 win=10
         R PA 101+100 10001 win=10",
        &["live established bytes=120000/200 segments=2/3 seen=midstream"],
    ),
    scenario(
        "window_of_before_reaches_as_far_back",
        "what was offered once counts, however little is offered now",
        "O PA 1+60000 1
         O PA 60001+60000 1
         R A 1 119001 win=1000
         R PA 1+100 10001 win=1",
        &["live established bytes=120000/100 segments=2/2 seen=midstream"],
    ),
    scenario(
        "scale_learnt_twice",
        "the second takes the place of the first",
        "O PA 1+300 1 win=10
         R A 1 301
         R PA 70001+100 301
         R PA 130001+100 301
         R PA 190001+100 300",
        &[
            "implausible",
            "live established bytes=300/130100 seen=midstream",
        ],
    ),
    scenario(
        "scale_learnt_of_one_end",
        "of the other nothing is learnt by that",
        "O PA 1+300 1 win=10
         R A 1 301 win=60000
         R PA 70001+100 301 win=60000
         O PA 100001+100 1 win=10",
        &[
            "implausible",
            "live established bytes=300/70100 seen=midstream",
        ],
    ),
    scenario(
        "scales_learnt_of_both_ends",
        "the first is kept when the second is learnt",
        "O PA 1+300 1 win=10
         R A 1 301 win=10
         O PA 70001+100 1 win=10
         R PA 70001+100 70101 win=10
         O PA 145001+100 1 win=10",
        &["live established bytes=145100/70100 segments=3/2 seen=midstream"],
    ),
    scenario(
        "scale_learnt_to_the_byte",
        "ten are 160 KiB, and what is one byte more is more",
        "O PA 1+300 1 win=10
         R A 1 301
         R PA 163741+100 301
         R PA 163742+100 300",
        &[
            "implausible",
            "live established bytes=300/163840 segments=1/2 seen=midstream",
        ],
    ),
    scenario(
        "first_word_far_ahead",
        "beside the first word of an end there is nothing that it could contradict",
        "O PA 1+300 1 win=10
         R PA 100001+100 200",
        &["live established bytes=300/100 segments=1/1 seen=midstream"],
    ),
    scenario(
        "first_word_acks_far_behind",
        "the same of what it acks",
        "O PA 1+60000 1
         O PA 60001+60000 1
         O PA 120001+60000 1
         R A 50 10001 win=1000",
        &["live established bytes=180000/0 segments=3/1 seen=midstream"],
    ),
    scenario(
        "second_word_acks_far_behind",
        "and is not where it was expected",
        "O PA 1+60000 1
         O PA 60001+60000 1
         O PA 120001+60000 1
         R A 1 179001 win=1000
         R A 50 10001 win=1000",
        &[
            "implausible",
            "live established bytes=180000/0 segments=3/1 seen=midstream",
        ],
    ),
    scenario(
        "first_word_acks_as_far_behind_as_any_scale",
        "ten are 160 KiB, to the byte",
        "O PA 1+60000 1
         O PA 60001+60000 1
         O PA 120001+60000 1
         R A 1 16161 win=10",
        &["live established bytes=180000/0 segments=3/1 seen=midstream"],
    ),
    scenario(
        "first_word_acks_further_behind_than_any_scale",
        "one byte more",
        "O PA 1+60000 1
         O PA 60001+60000 1
         O PA 120001+60000 1
         R A 1 16160 win=10",
        &[
            "implausible",
            "live established bytes=180000/0 segments=3/0 seen=midstream",
        ],
    ),
    scenario(
        "known_scale_reaches_no_further_back",
        "where the handshake was seen nothing has to be learnt",
        "open
         O PA 1+60000 1
         R A 1 60001
         O PA 60001+60000 1
         R A 1 120001
         R PA 1+100 50001",
        &["implausible", "live established bytes=120000/0 seen=whole"],
    ),
    scenario(
        "scale_that_nothing_asked_for",
        "only what did not fit is learnt from: here the ack, not how far ahead it is",
        "O PA 1+60000 1 win=10
         O PA 60001+60000 1 win=10
         O PA 120001+60000 1 win=10
         R PA 50001+100 10001 win=1000
         R PA 75001+100 180000 win=1000",
        &[
            "implausible",
            "live established bytes=180000/100 segments=3/1 seen=midstream",
        ],
    ),
    scenario(
        "scale_of_acks_that_nothing_asked_for",
        "and here how far ahead it is, not the ack",
        "O PA 1+60000 1 win=10
         R PA 100001+100 10001 win=10
         O PA 85001+100 1 win=10",
        &[
            "implausible",
            "live established bytes=60000/100 segments=1/1 seen=midstream",
        ],
    ),
    scenario(
        "inferred_end_acks_what_was_missed",
        "its SYN-ACK is known by the ack of it: what it acks now is a claim",
        "O S 0
         O A 1 1
         R PA 1+100 301",
        &["established", "implausible", "live established bytes=0/0"],
    ),
    scenario(
        "payload_about_a_fin_that_was_acked",
        "two bytes in its place, or one behind it: neither is a keepalive",
        "open
         O FA 1 1
         R A 1 2
         O PAU 1+2 1
         O PA 2+1 1",
        &[
            "half_closed",
            "implausible",
            "implausible",
            "live half_closed bytes=0/0",
        ],
    ),
];
