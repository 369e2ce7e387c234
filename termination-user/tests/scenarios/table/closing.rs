//! The level `closing`: what is known where not every segment is looked at, and
//! what is not claimed. (`-` is what nobody knows.)

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "closing_graceful",
        "bytes follow from sequence numbers; what was between is not missed",
        "open
         O PA 1+100 1
         R A 1 101
         R PA 1+200 101
         O A 101 201
         O FA 101 201
         R FA 201 102
         O A 102 202
         wait 61s",
        &[
            "graceful by=originator phase=closing holder=originator bytes=100/200 segments=-/- \
             retransmits=-/- lost=-/- after=0/0 segments_after=1/1 gap=1/1 seen=whole zeek=SF",
            "time_wait expired restarts=0/0",
        ],
    ),
    scenario(
        "closing_half_close",
        "from the first FIN on every segment is seen",
        "open
         O PA 1+100 1
         R A 1 101
         O FA 101 1
         R A 1 102
         wait 10s
         R PA 1+500 102
         O A 102 501
         R FA 501 102
         O A 102 502",
        &[
            "half_closed",
            "graceful_half_close by=originator phase=closing holder=originator bytes=100/500 \
             after=0/500 gap=1/10004 segments_after=2/3 seen=whole",
        ],
    ),
    scenario(
        "closing_simultaneous",
        "crossing FINs, long after anything that was seen",
        "open
         wait 60s
         O FA 700001 900001
         R FA 900001 700001
         O A 700002 900002
         R A 900002 700002",
        &[
            "graceful_simultaneous by=both phase=closing holder=both bytes=700000/900000 \
             seen=whole",
        ],
    ),
    scenario(
        "closing_far_beyond",
        "a FIN beyond all that was seen, and beyond any window: no gap and no lie",
        "open
         O FA 2100000001 5
         R FA 5 2100000002
         O A 2100000002 6",
        &["graceful by=originator phase=closing holder=originator bytes=2100000000/4 seen=whole"],
    ),
    scenario(
        "closing_wrapped",
        "bytes modulo 4 GiB, wherever that begins",
        "isn O 4294967000
         open
         O FA 1000 1
         R FA 1 1001
         O A 1001 2",
        &["graceful by=originator phase=closing holder=originator bytes=999/0 seen=whole"],
    ),
    scenario(
        "closing_responder_first",
        "the server closes after a long response",
        "open
         R FPA 50000001+100 333
         O A 333 50000102
         O FA 333 50000102
         R A 50000102 334",
        &[
            "half_closed",
            "graceful by=responder phase=closing holder=responder bytes=332/50000100 seen=whole",
        ],
    ),
    scenario(
        "closing_last_ack_lost",
        "a FIN that comes again restarts the wait, as its flag is seen",
        "open
         O FA 1 1
         R FA 1 2
         O A 2 2
         R FA 1 2
         O A 2 2",
        &["graceful by=originator phase=closing holder=originator"],
    ),
    scenario(
        "closing_reset",
        "an abort: believed since nothing refutes it",
        "open
         O PA 1+100 1
         R A 1 101
         O RA 101 1
         wait 4s",
        &[
            "reset by=originator phase=- verdict=unverifiable cause=active_abort \
             evidence=wire_weak bytes=-/- lost=-/- seen=whole zeek=RSTO",
        ],
    ),
    scenario(
        "closing_reset_refuted",
        "a blind RST: its supposed sender goes on",
        "open
         O PA 1+100 1
         R A 1 101
         O RA 70000 1
         O PA 101+100 1
         R A 1 201
         O PA 201+100 1
         wait 4s",
        &[
            "rst_rejected by=originator verdict=unverifiable",
            "live established seen=whole",
        ],
    ),
    scenario(
        "closing_reset_refuted_beyond",
        "it goes on beyond the RST",
        "open
         O RA 101 1
         O PA 101+100 1",
        &[
            "rst_rejected by=originator verdict=unverifiable",
            "live established seen=whole",
        ],
    ),
    scenario(
        "closing_reset_not_refuted",
        "what may have been sent before it refutes nothing",
        "open
         R A 1 101
         O RA 101 1
         O PA 1+100 1
         wait 4s",
        &[
            "reset by=originator phase=- verdict=unverifiable cause=active_abort \
             evidence=wire_weak",
        ],
    ),
    scenario(
        "closing_reset_and_peers_data",
        "what the other end says does not refute it either",
        "open
         O RA 101 1
         R PA 1+100 101
         R PA 101+100 101
         wait 4s",
        &[
            "reset by=originator phase=first_data|- verdict=unverifiable cause=active_abort \
             evidence=wire_weak",
        ],
    ),
    scenario(
        "closing_no_connection",
        "an end without state answers data: whether it was silent is not known",
        "open
         wait 60s
         O PA 1+100 1
         R R 1 win=0
         wait 4s",
        &[
            "reset by=responder phase=- verdict=unverifiable cause=no_connection \
             evidence=wire_weak",
        ],
    ),
    scenario(
        "closing_refused",
        "until the handshake is complete nothing is unknown",
        "O S 0 ws=7
         R RA =0 1 win=0",
        &[
            "refused by=responder phase=syn_sent verdict=syn_sent_ok cause=no_listener \
             evidence=wire_strong bytes=0/0 segments=1/1",
        ],
    ),
    scenario(
        "closing_handshake_reset",
        "a scan (18)",
        "O S 0 ws=7
         R SA 0 1 ws=7
         O R 1 win=0",
        &[
            "handshake_reset by=originator phase=syn_received verdict=exact cause=no_connection \
             evidence=wire_strong",
        ],
    ),
    scenario(
        "closing_data_after_close",
        "n segments to an end that has closed: every one is seen from its FIN on",
        "open
         O FA 101 1
         R A 1 102
         R PA 1+50 102
         O R 102 win=0",
        &[
            "half_closed",
            "reset_after_own_fin by=originator phase=half_closed verdict=exact \
             cause=data_after_close evidence=wire_strong lost=-/-",
        ],
    ),
    scenario(
        "closing_data_before_close",
        "the data that drew it passed before anybody looked: no cause is claimed",
        "open
         R PA 1+50 101
         O FA 101 1
         O R 102 win=0",
        &["reset_after_own_fin by=originator phase=half_closed verdict=train"],
    ),
    scenario(
        "closing_abort_after_fin",
        "in step with what its own sender has said",
        "open
         O FA 101 1
         O RA 102 1",
        &[
            "reset_after_own_fin by=originator phase=half_closed verdict=train \
             cause=active_abort evidence=wire_strong",
        ],
    ),
    scenario(
        "closing_reset_after_peer_fin",
        "of an end that has not spoken since",
        "open
         O FA 1 1
         R R 2 win=0
         wait 4s",
        &[
            "reset_after_peer_fin by=responder phase=half_closed verdict=unverifiable \
             cause=no_connection evidence=wire_weak",
        ],
    ),
    scenario(
        "closing_idle_and_alive",
        "marked when its timer runs out; any segment clears the mark",
        "open
         wait 7876s
         O A 1 1
         wait 7874s
         wait 2s
         R PA 1+1 1
         wait 7874s",
        &["live established seen=whole"],
    ),
    scenario(
        "closing_idle_and_gone",
        "a mark that nobody answers for as long once more",
        "open
         wait 7876s
         wait 7874s
         wait 2s",
        &["idle_expired by=nobody phase=- bytes=-/-"],
    ),
    scenario(
        "closing_idle_and_closed",
        "marked, and closed by a FIN far on",
        "open
         wait 7876s
         O FA 5001 1
         R FA 1 5002
         O A 5002 2",
        &["graceful by=originator phase=closing holder=originator bytes=5000/0"],
    ),
    scenario(
        "closing_not_silent",
        "retransmissions unanswered are not seen, and nobody is called gone",
        "open
         O PA 1+100 1
         wait 1s
         O PA 1+100 1
         wait 20s
         O PA 1+100 1
         wait 301s",
        &["live established unanswered=0/0"],
    ),
    scenario(
        "closing_silent_after_fin",
        "a FIN that nobody acks is another matter",
        "open
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
        "closing_stuck",
        "one FIN, acked, and no more",
        "open
         O FA 1 1
         R A 1 2
         wait 3601s",
        &[
            "half_closed",
            "half_closed_abandoned by=originator phase=half_closed",
        ],
    ),
    scenario(
        "closing_superseded",
        "a SYN with a new ISN is accepted on a tuple that had not closed",
        "open
         O PA 1+100 1
         wait 60s
         O S 50000 ws=7
         R SA 700000 50001 ws=7
         O A 50001 700001",
        &[
            "superseded by=originator phase=- bytes=-/-",
            "live established",
        ],
    ),
    scenario(
        "closing_half_open_by_syn",
        "a restarted client: its SYN and all that follows are seen",
        "open
         O PA 1+100 1
         R A 1 101
         O S 50000 ws=7
         R A 1 101
         O R 101 win=0",
        &[
            "half_open_discovered_by_syn by=originator phase=- verdict=unverifiable \
             cause=bad_ack evidence=wire_strong",
            "live syn_sent segments=1/0",
        ],
    ),
    scenario(
        "closing_blind_fin_beyond",
        "a forged FIN: what both ends then say contradicts it",
        "open
         O FA 90000000 1
         R A 1 101
         O PA 101+100 1
         R A 1 201
         O FA 201 1
         R FA 1 202
         O A 202 2",
        &["graceful by=originator phase=closing holder=originator bytes=200/0 seen=whole"],
    ),
    scenario(
        "closing_blind_fin_below",
        "a forged FIN below what its receiver has acked long ago",
        "open
         O FA 1 1
         R PA 1+10 101
         O A 101 11
         R FA 11 101
         O FA 101 12
         R A 12 102",
        &["graceful by=responder phase=closing holder=responder bytes=100/10 seen=whole"],
    ),
    scenario(
        "closing_midstream",
        "what is met midstream is met at its FIN",
        "R PA 1+10 1
         O A 1 11
         O FA 1 11
         R FA 11 2
         O A 2 12",
        &[
            "graceful by=originator phase=closing holder=originator seen=midstream bytes=0/0 \
           segments=2/1 retransmits=0/0",
        ],
    ),
    scenario(
        "closing_never_met",
        "segments without flags open nothing",
        "R PA 1+10 1
         O A 1 11",
        &[],
    ),
    scenario(
        "closing_assassinated",
        "TIME_WAIT is judged as ever: both ends have spoken at the end",
        "open
         O PA 1+100 1
         O FA 101 1
         R FA 1 102
         O A 102 2
         R R 2 win=0",
        &[
            "graceful by=originator phase=closing holder=originator",
            "time_wait assassinated|offered restarts=0/0",
        ],
    ),
    scenario(
        "closing_reused",
        "so is the next connection of the tuple; what comes back to its SYN is seen",
        "open
         O FA 1 1
         R FA 1 2
         O A 2 2
         O S 50000 ws=7
         R SA 70000 50001 ws=7
         O A 50001 70001",
        &[
            "graceful by=originator phase=closing holder=originator",
            "time_wait reused_by_holder answer=syn_ack",
            "live established",
        ],
    ),
];
