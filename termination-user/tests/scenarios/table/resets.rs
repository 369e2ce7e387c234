//! Believed RSTs.

use super::{Scenario, scenario};

/// Nine seconds, and a stray.
macro_rules! stray {
    () => {
        "wait 9s\nR A 1 1\n"
    };
}
/// Eight of these.
macro_rules! strays {
    () => {
        concat!(
            stray!(),
            stray!(),
            stray!(),
            stray!(),
            stray!(),
            stray!(),
            stray!(),
            stray!()
        )
    };
}

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "reset",
        "SO_LINGER 0 (5) and close with unread data (6): one shape on the wire",
        "open
         O PA 1+100 1
         R A 1 101
         O RA 101 1
         wait 11s",
        &[
            "reset by=originator phase=first_data verdict=exact cause=active_abort \
           evidence=wire_strong bytes=100/0 lost=0/0 zeek=RSTO",
        ],
    ),
    scenario(
        "reset_with_loss",
        "what was sent and not acked is lost, in both directions",
        "open
         O PA 1+100 1
         R PA 1+50 101
         O PA 101+300 1
         R RA 51 401",
        &[
            "reset by=responder phase=transfer verdict=train cause=active_abort \
           evidence=wire_strong bytes=400/50 lost=300/50",
        ],
    ),
    scenario(
        "reset_at_once",
        "established, no data",
        "open
         R A 1 1
         O RA 1 1",
        &[
            "reset by=originator phase=established_no_data verdict=exact cause=active_abort \
           evidence=wire_strong",
        ],
    ),
    scenario(
        "reset_without_window",
        "an abort that offers no window, as some stacks send it",
        "open
         R A 1 1
         O RA 1 1 win=0",
        &[
            "reset by=originator phase=established_no_data verdict=exact cause=active_abort \
           evidence=wire_strong",
        ],
    ),
    scenario(
        "reset_at_zero",
        "SND.NXT is 0: the window tells it from an answer to a segment without ACK",
        "isn O 4294967295
         open
         R A 1 1
         O RA 1 1",
        &[
            "reset by=originator phase=established_no_data verdict=exact cause=active_abort \
           evidence=wire_strong",
        ],
    ),
    scenario(
        "reset_at_zero_without_window",
        "SND.NXT is 0, and no window tells",
        "isn O 4294967295
         open
         R A 1 1
         O RA 1 1 win=0",
        &["reset by=originator phase=established_no_data verdict=exact"],
    ),
    scenario(
        "reset_crossing",
        "both abort at once: the first decides",
        "open
         O PA 1+10 1
         R A 1 11
         O RA 11 1
         R RA 1 11",
        &[
            "reset by=originator phase=first_data verdict=exact cause=active_abort \
             evidence=wire_strong",
            "stray_segment",
        ],
    ),
    scenario(
        "stays_ended",
        "a reordered ACK and data after the RST resurrect nothing (12)",
        "open
         O PA 1+10 1
         R A 1 11
         O RA 11 1
         R A 1 11
         R PA 1+10 11
         O FA 11 1",
        &[
            "reset by=originator phase=first_data verdict=exact cause=active_abort \
             evidence=wire_strong",
            "stray_segment",
            "stray_segment",
            "stray_segment",
        ],
    ),
    scenario(
        "reused_after_reset",
        "the tuple used again at once (20): two records",
        "open
         O RA 1 1
         O S 90000 ws=7
         R SA 70000 90001 ws=7
         O A 90001 70001
         O FA 90001 70001
         R FA 70001 90002
         O A 90002 70002",
        &[
            "reset by=originator phase=established_no_data verdict=exact cause=active_abort \
             evidence=wire_strong",
            "graceful by=originator phase=closing holder=originator",
        ],
    ),
    scenario(
        "linger",
        "strays keep the tuple, at most 300 s; a SYN with its own ISN is a stray",
        "open
         O RA 1 1
         wait 9s
         R A 1 1
         wait 9s
         O S 0 ws=7
         wait 9s
         R A 1 1
         wait 11s
         R PA 1+10 1",
        &[
            "reset by=originator phase=established_no_data verdict=exact cause=active_abort \
             evidence=wire_strong",
            "stray_segment",
            "stray_segment",
            "stray_segment",
            "live established seen=midstream",
        ],
    ),
    scenario(
        "linger_bound",
        "32 strays in 288 s keep the tuple, one after 297 s does not",
        concat!(
            "open\nO RA 1 1\n",
            strays!(),
            strays!(),
            strays!(),
            strays!(),
            stray!(),
            "wait 9s\nR PA 1+10 1"
        ),
        &[
            "reset by=originator phase=established_no_data verdict=exact cause=active_abort \
             evidence=wire_strong",
            "live established seen=midstream bytes=0/10",
        ],
    ),
    scenario(
        "data_after_close",
        "close(), FIN acked, then peer data (7): n segments draw n RSTs, one cause",
        "open
         O FA 1 1
         R A 1 2
         R PA 1+100 2
         R PA 101+100 2
         O R 2 win=0
         O R 2 win=0",
        &[
            "reset_after_own_fin by=originator phase=half_closed verdict=exact \
           cause=data_after_close evidence=wire_strong lost=0/200 after=0/200",
        ],
    ),
    scenario(
        "data_after_close_crossing",
        "the same with the FIN unacked: PA one below SND.NXT",
        "open
         O PA 1+100 1
         R A 1 101
         O FA 101 1
         R PA 1+50 101
         O R 101 win=0",
        &[
            "reset_after_own_fin by=originator phase=half_closed verdict=fin_minus_one \
           cause=data_after_close evidence=wire_strong lost=0/50",
        ],
    ),
    scenario(
        "aborted_after_own_fin",
        "shutdown(WR), then close with unread data",
        "open
         O FA 1 1
         R A 1 2
         R PA 1+100 2
         O A 2 101
         O RA 2 101",
        &[
            "reset_after_own_fin by=originator phase=half_closed verdict=exact cause=active_abort \
           evidence=wire_strong lost=0/0",
        ],
    ),
    scenario(
        "time_wait_missing",
        "FIN, ACK, longer than tcp_fin_timeout, FIN, RST (21): nothing lost",
        "open
         O PA 1+100 1
         R A 1 101
         O FA 101 1
         R A 1 102
         wait 70s
         R FA 1 102
         O R 102 win=0",
        &[
            "reset_after_own_fin by=originator phase=closing verdict=exact cause=time_wait_missing \
           evidence=wire_strong lost=0/0",
        ],
    ),
    scenario(
        "time_wait_missing_answers_the_fin",
        "an RST at its own FIN answers no FIN that came in reply",
        "open
         O FA 1 1
         R A 1 2
         R FA 1 2
         O R 1 win=0",
        &["reset_after_own_fin by=originator phase=closing verdict=fin_minus_one"],
    ),
    scenario(
        "time_wait_held_by_the_other",
        "an RST of who closed first, but it answers no FIN: its cause is not told",
        "open
         O FA 1 1
         R FA 1 1
         R A 2 2
         O R 2 win=0",
        &["reset_after_own_fin by=originator phase=closing verdict=exact"],
    ),
    scenario(
        "no_more_is_awaited",
        "an RST after the own FIN was acked answers neither payload nor a FIN",
        "open
         O FA 1 1
         R A 1 2
         R A 1 2
         O R 2 win=0",
        &[
            "half_closed",
            "reset_after_own_fin by=originator phase=half_closed verdict=train|exact",
        ],
    ),
    scenario(
        "data_after_close_answer_unacked",
        "an RST below what the peer has acked does nothing; its cause is the second's",
        "open
         O PA 1+100 1
         R A 1 101
         O PA 101+300 1
         O FA 401 1
         R PA 1+4 101
         O R 101 win=0
         R A 5 402
         O R 402 win=0",
        &[
            "reset_after_own_fin by=originator phase=half_closed verdict=exact \
           cause=data_after_close evidence=wire_strong lost=0/4",
        ],
    ),
    scenario(
        "gone_in_last_ack",
        "no payload came, and the FIN was never acked: nobody remembers",
        "open
         O FA 1 1
         R A 1 2
         R FA 1 2
         O A 2 1
         R R 1 win=0",
        &[
            "reset_after_own_fin by=responder phase=closing verdict=fin_minus_one \
           cause=no_connection evidence=wire_strong lost=0/0",
        ],
    ),
    scenario(
        "syn_in_fin_wait_2",
        "a SYN within the window of an end that has closed and keeps no socket",
        "open
         R FA 1 1
         O A 1 2
         O S 50 ws=7
         R RA =0 51 win=0",
        &[
            "reset_after_own_fin by=responder phase=half_closed verdict=syn_sent_ok \
           cause=invalid_syn evidence=wire_strong",
        ],
    ),
    scenario(
        "half_closed_then_no_time_wait",
        "data after the FIN that was taken and acked is no reason",
        "open
         O FA 1 1
         R PA 1+100 2
         O A 2 101
         R FA 101 2
         O R 2 win=0",
        &[
            "reset_after_own_fin by=originator phase=closing verdict=exact \
           cause=time_wait_missing evidence=wire_strong after=0/100",
        ],
    ),
    scenario(
        "reset_after_peer_fin_and_silence",
        "shaped as a reply, but nobody has said anything for long: why, the wire does \
         not say",
        "open
         O PA 1+100 1
         R A 1 101
         O FA 101 1
         R A 1 102
         wait 60s
         R R 1 win=0",
        &["reset_after_peer_fin by=responder phase=half_closed verdict=exact"],
    ),
    scenario(
        "reset_after_peer_fin",
        "R aborts in CLOSE_WAIT",
        "open
         O FA 1 1
         R A 1 2
         R RA 1 2",
        &[
            "reset_after_peer_fin by=responder phase=half_closed verdict=exact cause=active_abort \
           evidence=wire_strong",
        ],
    ),
    scenario(
        "reset_after_both_fins",
        "own FIN goes before the peer's, also when both have closed",
        "open
         O FA 1 1
         R PA 1+70 1
         R FA 71 2
         R RA 72 2",
        &[
            "reset_after_own_fin by=responder phase=closing verdict=train cause=active_abort \
           evidence=wire_strong lost=0/70",
        ],
    ),
    scenario(
        "reset_in_close_wait_one_below",
        "after the peer's FIN its RST at that FIN is believed",
        "open
         R FA 1 1
         O A 1 2
         O PA 1+10 2
         R R 1 win=0",
        &[
            "reset_after_own_fin by=responder phase=half_closed verdict=fin_minus_one \
           cause=data_after_close evidence=wire_strong lost=10/0",
        ],
    ),
    scenario(
        "keepalive_timeout",
        "unanswered probes, then RST+ACK",
        "open
         R A 1 1
         wait 20s
         O A 0 1
         wait 1s
         O A 0 1
         wait 1s
         O RA 1 1",
        &[
            "half_open_suspected",
            "reset by=originator phase=established_no_data verdict=exact cause=keepalive_timeout \
             evidence=wire_strong",
        ],
    ),
    scenario(
        "abort_after_window_probes",
        "probes of a closed window end without a word: an RST after these is a decision",
        "open
         O PA 1+100 1
         R A 1 101 win=0
         wait 1s
         O A 100 1
         wait 1s
         O A 100 1
         O RA 101 1",
        &[
            "reset by=originator phase=first_data verdict=exact cause=active_abort \
             evidence=wire_strong",
        ],
    ),
    scenario(
        "multipath",
        "an RST with a Multipath TCP option",
        "open
         O PA 1+100 1
         R A 1 101
         O RA 101 1 mptcp",
        &["reset by=originator phase=first_data verdict=exact cause=mptcp evidence=wire_strong"],
    ),
    scenario(
        "syn_and_rst",
        "RST wins over SYN and FIN in one segment",
        "open
         O PA 1+100 1
         R A 1 101
         O SFRA 101 1",
        &[
            "reset by=originator phase=first_data verdict=exact cause=active_abort \
           evidence=wire_strong",
        ],
    ),
    scenario(
        "rst_with_data",
        "the payload of an RST counts nowhere",
        "open
         O PA 1+100 1
         R A 1 101
         O RA 101+50 1",
        &[
            "reset by=originator phase=first_data verdict=exact cause=active_abort \
           evidence=wire_strong bytes=100/0 lost=0/0",
        ],
    ),
    scenario(
        "reset_in_window_after_the_handshake",
        "R has only answered the SYN; this is not the RST of a handshake that it rejects",
        "open
         R R 500 win=0
         wait 4s",
        &[
            "reset by=responder phase=established_no_data verdict=in_window \
             cause=no_connection evidence=wire_weak",
        ],
    ),
    scenario(
        "bare_rst_out_of_silence",
        "it answers nothing: no data has found a restarted host",
        "open
         O PA 1+100 1
         R PA 1+100 101
         O A 101 101
         wait 350s
         R R 101 win=0",
        &["reset by=responder phase=transfer verdict=exact"],
    ),
    scenario(
        "data_into_a_long_unused_handshake",
        "a server without room for it had repeated its SYN-ACK: it has lost its state",
        "open
         wait 400s
         O PA 1+100 1
         R R 1 win=0",
        &[
            "half_open_discovered_by_data by=responder phase=first_data verdict=exact \
             cause=no_connection evidence=wire_strong",
        ],
    ),
    scenario(
        "no_room_after_a_repeated_syn_ack",
        "who has repeated its SYN-ACK had no room for it, however long ago",
        "open
         R SA 0 1 ws=7
         wait 15s
         O PA 1+100 1
         R R 1 win=0",
        &[
            "handshake_aborted by=responder phase=first_data verdict=exact cause=handshake_rejected evidence=wire_strong",
        ],
    ),
    scenario(
        "abort_while_asked_again",
        "an RST with ACK is no answer of who knows nothing",
        "open
         O PA 1+100 1
         O PA 1+100 1
         R RA 1 101 win=0",
        &[
            "reset by=responder phase=first_data verdict=exact cause=active_abort evidence=wire_strong",
        ],
    ),
    scenario(
        "bare_rst_long_after_its_own_fin",
        "nobody has asked, but it has closed",
        "open
         O FA 1 1
         R A 1 2
         wait 20s
         O R 2 win=0",
        &[
            "half_closed",
            "reset_after_own_fin by=originator phase=half_closed verdict=exact",
        ],
    ),
    scenario(
        "bare_rst_of_mptcp_out_of_silence",
        "its option says why",
        "open
         O PA 1+100 1
         R A 1 101
         wait 20s
         O R 101 win=0 mptcp",
        &["reset by=originator phase=first_data verdict=exact cause=mptcp evidence=wire_strong"],
    ),
    scenario(
        "claim_while_a_syn_waits",
        "what does not fit takes nothing from the SYN",
        "open
         O PA 1+100 1
         R A 1 101
         O S 5000 ws=7
         R PA 200001+100 101
         R SA 900 5001 ws=7
         O A 5001 901",
        &[
            "established",
            "implausible",
            "superseded by=originator phase=first_data",
            "established",
            "live established",
        ],
    ),
];
