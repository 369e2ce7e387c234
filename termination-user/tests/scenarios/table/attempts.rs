//! Attempts that were never established, and the ways to open.

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "unanswered",
        "a SYN, repeated, that nobody answers; the timer counts from the last",
        "O S 0 ws=7
         wait 30s
         O S 0 ws=7
         wait 59s
         wait 2s",
        &[
            "unanswered by=responder phase=syn_sent bytes=0/0 segments=2/0 retransmits=1/0 \
           duration=30000|29999 ended=90001",
        ],
    ),
    scenario(
        "unanswered_not_yet",
        "not before its timer",
        "O S 0 ws=7
         wait 59s",
        &["live syn_sent"],
    ),
    scenario(
        "refused",
        "RST+ACK with seq 0 to a bare SYN: nobody listens",
        "O S 0 ws=7
         R RA =0 1 win=0",
        &[
            "refused by=responder phase=syn_sent verdict=syn_sent_ok cause=no_listener \
           evidence=wire_strong bytes=0/0 segments=1/1 zeek=REJ history=Sr",
        ],
    ),
    scenario(
        "refused_in_another_shape",
        "not every stack's, nor every firewall's RST has seq and window 0",
        "O S 0 ws=7
         R RA 7 1 win=0",
        &[
            "refused by=responder phase=syn_sent verdict=syn_sent_ok cause=no_listener \
           evidence=wire_strong",
        ],
    ),
    scenario(
        "refused_with_a_window",
        "the same with seq 0",
        "O S 0 ws=7
         R RA =0 1 win=100",
        &[
            "refused by=responder phase=syn_sent verdict=syn_sent_ok cause=no_listener \
           evidence=wire_strong",
        ],
    ),
    scenario(
        "refused_bad",
        "an RST toward SYN_SENT that does not ack the SYN means nothing, however often",
        "O S 0 ws=7
         R RA =0 5 win=0
         R R =0
         R R 1
         wait 10s",
        &[
            "rst_rejected by=responder verdict=syn_sent_bad",
            "rst_rejected by=responder verdict=syn_sent_bad",
            "rst_rejected by=responder verdict=syn_sent_bad",
            "live syn_sent",
        ],
    ),
    scenario(
        "cancelled",
        "O gives up by RST before R answers",
        "O S 0 ws=7
         O RA 1 =0",
        &[
            "cancelled by=originator phase=syn_sent verdict=train cause=active_abort \
           evidence=wire_strong zeek=RSTOS0",
        ],
    ),
    scenario(
        "cancelled_by_an_answer",
        "an RST without ACK answers an ACK: a SYN-ACK that was missed, for O has no socket",
        "O S 0 ws=7
         O R 1 win=0",
        &[
            "cancelled by=originator phase=syn_sent verdict=train cause=no_connection \
           evidence=wire_strong zeek=RSTOS0",
        ],
    ),
    scenario(
        "cancelled_by_an_answer_elsewhere",
        "the same to an ACK that was never due",
        "O S 0 ws=7
         O R 5001 win=0",
        &["rst_rejected by=originator verdict=future", "live syn_sent"],
    ),
    scenario(
        "handshake_unacked",
        "half-open as in a SYN flood",
        "O S 0 ws=7
         R SA 0 1 ws=7
         wait 30s
         R SA 0 1 ws=7
         wait 59s
         wait 2s",
        &["handshake_unacked by=originator phase=syn_received retransmits=0/1 segments=1/2"],
    ),
    scenario(
        "handshake_reset",
        "scan or spoofed source (18): O's host knows nothing of it",
        "O S 0 ws=7
         R SA 0 1 ws=7
         O R 1 win=0",
        &[
            "handshake_reset by=originator phase=syn_received verdict=exact cause=no_connection \
           evidence=wire_strong lost=0/0",
        ],
    ),
    scenario(
        "handshake_aborted_actively",
        "R resets after its SYN-ACK, before O's ACK",
        "O S 0 ws=7
         R SA 0 1 ws=7
         R RA 1 1",
        &[
            "handshake_aborted by=responder phase=syn_received verdict=train cause=active_abort \
           evidence=wire_strong",
        ],
    ),
    scenario(
        "handshake_aborted_after_ack",
        "tcp_abort_on_overflow (17): PA to the valid final ACK",
        "open
         R R 1 win=0",
        &[
            "handshake_aborted by=responder phase=established_no_data verdict=exact \
           cause=handshake_rejected evidence=wire_strong",
        ],
    ),
    scenario(
        "handshake_aborted_ack_unseen",
        "the same, the ACK was not seen: that it acked the SYN-ACK, the RST says",
        "O S 0 ws=7
         R SA 0 1 ws=7
         R R 1 win=0",
        &[
            "handshake_aborted by=responder phase=syn_received verdict=train \
           cause=handshake_rejected evidence=wire_strong",
        ],
    ),
    scenario(
        "handshake_aborted_after_data",
        "the same, seen only after data",
        "open
         O PA 1+100 1
         R R 1 win=0
         R R 1 win=0",
        &[
            "handshake_aborted by=responder phase=first_data verdict=exact \
             cause=handshake_rejected evidence=wire_strong lost=100/0",
        ],
    ),
    scenario(
        "invalid_syn",
        "another SYN in the window of a half-open handshake draws PN and kills it",
        "O S 0 ws=7
         R SA 0 1 ws=7
         O S 500 ws=7
         R RA =0 501 win=0",
        &[
            "handshake_aborted by=responder phase=syn_received verdict=syn_sent_ok \
           cause=invalid_syn evidence=wire_strong",
        ],
    ),
    scenario(
        "bad_final_ack",
        "a final ACK of what was never sent draws PA; the handshake stands",
        "O S 0 ws=7
         R SA 0 1 ws=7
         O A 1 500
         R R 500 win=0
         O A 1 1",
        &[
            "implausible",
            "rst_rejected by=responder verdict=future",
            "live established",
        ],
    ),
    scenario(
        "bad_final_ack_below",
        "the same with an ack of less than the SYN-ACK, which was never due either",
        "O S 0 ws=7
         R SA 0 1 ws=7
         O A 1 -4
         R R -4 win=0
         O A 1 1",
        &[
            "implausible",
            "rst_rejected by=responder verdict=old",
            "live established",
        ],
    ),
    scenario(
        "bad_final_ack_of_the_isn",
        "the ISN itself acks no SYN",
        "O S 0 ws=7
         R SA 0 1 ws=7
         O A 1 0
         wait 1s",
        &["implausible", "live syn_received"],
    ),
    scenario(
        "bad_syn_ack",
        "a SYN-ACK of something else draws PA; the attempt goes on",
        "O S 0 ws=7
         R SA 0 77 ws=7
         O R 77 win=0
         R SA 9000 1 ws=7
         O A 1 9001",
        &[
            "implausible",
            "rst_rejected by=originator verdict=future",
            "live established segments=2/1",
        ],
    ),
    scenario(
        "simultaneous_open",
        "crossing SYNs (23): established when both are acked",
        "O S 0 ws=7
         R S 0 ws=7
         O SA 0 1 ws=7
         R SA 0 1 ws=7
         O PA 1+10 1
         R A 1 11
         O FA 11 1
         R FA 1 12
         O A 12 2",
        &[
            "established",
            "graceful by=originator phase=closing holder=originator bytes=10/0 lost=0/0 seen=whole \
             history=SsHhDaFfA zeek=SF",
        ],
    ),
    scenario(
        "simultaneous_open_by_acks",
        "as RFC 9293 3.5 draws it: each SYN is acked by an ACK alone",
        "O S 0 ws=7
         R S 0 ws=7
         O A 1 1
         R A 1 1
         R PA 1+10 1",
        &["established", "live established bytes=0/10"],
    ),
    scenario(
        "syn_ack_with_data",
        "payload of a SYN-ACK is payload",
        "O S 0 ws=7
         R SA 0+50 1 ws=7
         O A 1 51
         O RA 1 51",
        &[
            "reset by=originator phase=first_data verdict=exact cause=active_abort \
           evidence=wire_strong bytes=0/50 lost=0/0",
        ],
    ),
    scenario(
        "fast_open_accepted",
        "data in the SYN, acked by the SYN-ACK (24)",
        "O S 0+100 tfo ws=7
         R SA 0 101 ws=7
         O A 101 1
         R PA 1+50 101
         O FA 101 51
         R FA 51 102
         O A 102 52",
        &[
            "graceful by=originator phase=closing holder=originator bytes=100/50 lost=0/0 \
           retransmits=0/0",
        ],
    ),
    scenario(
        "fast_open_refused",
        "data in the SYN is not taken and sent again (24)",
        "O S 0+100 tfo ws=7
         R SA 0 1 ws=7
         O PA 1+100 1
         R A 1 101
         O FA 101 1
         R FA 1 102
         O A 102 2",
        &[
            "graceful by=originator phase=closing holder=originator bytes=100/0 lost=0/0 \
           retransmits=1/0",
        ],
    ),
    scenario(
        "fast_open_reply_before_ack",
        "R answers data in the SYN before O's ACK comes",
        "O S 0+100 tfo ws=7
         R SA 0 101 ws=7
         R PA 1+50 101
         R FA 51 101
         O A 101 52
         O FA 101 52
         R A 52 102",
        &[
            "established",
            "graceful by=responder phase=closing holder=responder bytes=100/50",
        ],
    ),
    scenario(
        "syn_ack_first",
        "the SYN was not seen: roles from the SYN-ACK, whole once O speaks",
        "R SA 0 1 ws=7
         O A 1 1
         O PA 1+10 1
         R A 1 11",
        &["live established bytes=10/0 seen=whole"],
    ),
    scenario(
        "syn_after_its_syn_ack",
        "the capture has them in the wrong order",
        "R SA 0 1 ws=7
         O S 0 ws=7
         O A 1 1",
        &["live established seen=whole segments=2/1"],
    ),
    scenario(
        "syn_after_all_of_its_handshake",
        "the SYN comes last: no repetition, and what it offers counts",
        "R SA 0 1 ws=7
         O A 1 1
         O S 0 ws=7
         wait 7876s",
        &[
            "idle_expired by=nobody phase=established_no_data seen=whole segments=2/1 \
             retransmits=0/0 history=^hAS",
        ],
    ),
    scenario(
        "syn_after_the_last_of_its_handshake",
        "three CPUs have a handshake, and the last segment is first: one connection",
        "O A 1 1
         O S 0 ws=7
         R SA 0 1 ws=7
         O S 0 ws=7
         R PA 1+10 1
         O A 1 11
         O RA 1 11",
        &[
            "reset by=originator phase=midstream verdict=exact cause=active_abort \
             evidence=wire_strong seen=midstream segments=4/2 retransmits=1/0 bytes=0/10",
        ],
    ),
    scenario(
        "handshake_backwards",
        "the same, wholly the other way round",
        "O A 1 1
         R SA 0 1 ws=7
         O S 0 ws=7
         R PA 1+10 1
         O A 1 11",
        &[
            "implausible",
            "live established seen=midstream segments=3/1 bytes=0/10",
        ],
    ),
    scenario(
        "syn_repeated_with_another_isn",
        "O starts over before R answers: the answer to the new one supersedes",
        "O S 0 ws=7
         O S 5000 ws=7
         R SA 0 5001 ws=7
         O A 5001 1",
        &[
            "superseded by=originator phase=syn_sent",
            "live established segments=2/1",
        ],
    ),
    scenario(
        "refused_without_ack",
        "the ack field means nothing without ACK: no RST for a SYN_SENT",
        "O S 0 ws=7
         R R =0 1 win=0",
        &[
            "rst_rejected by=responder verdict=syn_sent_bad",
            "live syn_sent",
        ],
    ),
    scenario(
        "syn_ack_then_acks_payload",
        "R acks more than a SYN, which was not seen: it has had the final ACK",
        "R SA 0 1 ws=7
         R A 1 101",
        &["live established bytes=0/0 seen=one_sided"],
    ),
    scenario(
        "refused_and_asked_again",
        "the same SYN again, as Windows sends it after an RST: accepted, it is a connection",
        "O S 0 ws=7
         R RA 0 1 win=0
         wait 500ms
         O S 0 ws=7
         R SA 500 1 ws=7
         O A 1 501
         O PA 1+100 501
         R A 501 101",
        &[
            "refused by=responder phase=syn_sent verdict=syn_sent_ok cause=no_listener evidence=wire_strong",
            "stray_segment",
            "established",
            "live established bytes=100/0 segments=3/2 seen=whole history=ShADa",
        ],
    ),
    scenario(
        "refused_and_refused_again",
        "one attempt, however often it is sent",
        "O S 0 ws=7
         R RA 0 1 win=0
         wait 500ms
         O S 0 ws=7
         R RA 0 1 win=0",
        &[
            "refused by=responder phase=syn_sent verdict=syn_sent_ok cause=no_listener evidence=wire_strong",
            "stray_segment",
            "stray_segment",
        ],
    ),
    scenario(
        "aborted_and_asked_again",
        "another SYN-ACK is another connection; the same again is a copy",
        "O S 0
         R SA 0 1
         O A 1 1
         R R 1 win=0
         O S 0
         R SA 0 1
         R SA 7000 1
         O A 1 7001",
        &[
            "established",
            "handshake_aborted by=responder phase=established_no_data verdict=exact \
             cause=handshake_rejected evidence=wire_strong",
            "stray_segment",
            "stray_segment",
            "established",
            "live established segments=2/1",
        ],
    ),
    scenario(
        "syn_ack_of_another_syn",
        "a SYN-ACK that acks no SYN of this end opens nothing",
        "O S 0
         R RA 0 1 win=0
         R SA 500 2",
        &[
            "refused by=responder phase=syn_sent verdict=syn_sent_ok cause=no_listener evidence=wire_strong",
            "stray_segment",
        ],
    ),
];
