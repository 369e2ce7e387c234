//! Is the RST believed?

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "train",
        "in step with its sender's last segment, of which no ack was seen",
        "open
         O PA 1+100 1
         R A 1 101
         O PA 101+100 1
         O RA 201 1",
        &[
            "reset by=originator phase=first_data verdict=train cause=active_abort \
           evidence=wire_strong lost=100/0",
        ],
    ),
    scenario(
        "train_at_the_edge",
        "at the highest edge that y reported by SACK",
        "open
         R A 1 1
         R PA 1+100 1
         R PA 101+100 1
         R PA 201+100 1
         O A 1 1 sack=101-201
         R R 201 win=0",
        &[
            "reset by=responder phase=first_data verdict=train cause=no_connection \
           evidence=wire_strong",
        ],
    ),
    scenario(
        "in_window_rejected_after",
        "a blind RST in the window draws a challenge ACK (4): alive; then an exact one",
        "open
         O PA 1+100 1
         R PA 1+100 101
         O A 101 101
         R R 1000 win=0
         O A 101 101
         R RA 101 101",
        &[
            "rst_rejected by=responder verdict=in_window",
            "challenge_ack",
            "reset by=responder phase=transfer verdict=exact cause=active_abort \
             evidence=wire_strong",
        ],
    ),
    scenario(
        "in_window_rejected_before",
        "challenge ACKs are rate limited: one stands for a second (26)",
        "open
         O PA 1+100 1
         R PA 1+100 101
         O A 101 101
         R R 1000 win=0
         O A 101 101
         R R 2000 win=0
         R R 3000 win=0
         wait 10s",
        &[
            "rst_rejected by=responder verdict=in_window",
            "challenge_ack",
            "rst_rejected by=responder verdict=in_window",
            "rst_rejected by=responder verdict=in_window",
            "live established history=ShADdr",
        ],
    ),
    scenario(
        "in_window_after_a_second",
        "and no longer than that",
        "open
         O PA 1+100 1
         R PA 1+100 101
         O A 101 101
         R R 1000 win=0
         O A 101 101
         wait 2s
         R R 2000 win=0
         wait 4s",
        &[
            "rst_rejected by=responder verdict=in_window",
            "challenge_ack",
            "reset by=responder phase=transfer verdict=in_window cause=no_connection \
             evidence=wire_weak ended=2007|2008",
        ],
    ),
    scenario(
        "in_window_at_what_was_acked_last",
        "an abort into a window that was closed with data under way: the data are \
         thrown away and acked once more, which is no challenge; at RCV.NXT an RST draws \
         none",
        "open
         O PA 1+1000 1
         R A 1 1001
         O PA 1001+1000 1
         R A 1 1001 win=0
         O RA 1001 1
         wait 4s",
        &[
            "reset by=originator phase=first_data verdict=in_window cause=active_abort \
             evidence=wire_weak lost=1000/0",
        ],
    ),
    scenario(
        "in_window_refuted_by_sender",
        "its supposed sender goes on",
        "open
         O PA 1+100 1
         R A 1 101
         R R 1000 win=0
         R PA 1+10 101
         wait 10s",
        &[
            "rst_rejected by=responder verdict=in_window",
            "live established",
        ],
    ),
    scenario(
        "in_window_not_refuted_by_flight",
        "neither payload of y, nor a retransmission of x, nor another such RST decides",
        "open
         R A 1 1
         R PA 1+10 1
         O PA 1+100 11
         R R 1000 win=0
         O PA 101+100 11
         R PA 1+10 1
         R R 2000 win=0
         wait 2s
         wait 2s",
        &[
            "reset by=responder phase=transfer verdict=in_window cause=no_connection \
           evidence=wire_weak lost=200/0",
        ],
    ),
    scenario(
        "in_window_then_exact",
        "an exact one beside it counts by itself",
        "open
         O PA 1+100 1
         R A 1 101
         R R 1000 win=0
         R RA 1 101",
        &[
            "reset by=responder phase=first_data verdict=exact cause=active_abort \
           evidence=wire_strong",
        ],
    ),
    scenario(
        "ended_when_unrefuted",
        "the time of the ending is that of the RST",
        "open
         O PA 1+100 1
         R A 1 101
         R R 1000 win=0
         wait 2900ms
         wait 200ms
         O PA 101+100 1",
        &[
            "reset by=responder phase=first_data verdict=in_window cause=no_connection \
             evidence=wire_weak segments=3/3",
            "stray_segment",
        ],
    ),
    scenario(
        "old",
        "below the window: never, however many",
        "open
         O PA 1+100 1
         R A 1 101
         O R 50 win=0
         O R 100 win=0
         O R 1 win=0
         wait 60s",
        &[
            "rst_rejected by=originator verdict=old",
            "rst_rejected by=originator verdict=old",
            "rst_rejected by=originator verdict=old",
            "live established",
        ],
    ),
    scenario(
        "future",
        "beyond the window: never",
        "open
         O PA 1+100 1
         R A 1 101
         R R 65537 win=0
         R R 100000 win=0
         wait 60s",
        &[
            "rst_rejected by=responder verdict=future",
            "rst_rejected by=responder verdict=future",
            "live established",
        ],
    ),
    scenario(
        "answer_to_no_syn",
        "the form that answers a SYN, at an open connection that has sent no FIN",
        "open
         R RA =0 1 win=0
         wait 60s",
        &[
            "rst_rejected by=responder verdict=future",
            "live established",
        ],
    ),
    scenario(
        "in_step_with_a_retransmission",
        "met midstream by a retransmission: what its sender sent last was seen, but is old",
        "O A 1 1000
         R PA 500+100 1
         R R 600 win=0
         wait 60s",
        &[
            "rst_rejected by=responder verdict=old",
            "live established seen=midstream",
        ],
    ),
    scenario(
        "window_edge",
        "the last number in the window is in it",
        "open
         O PA 1+100 1
         R A 1 101
         R R 65536 win=0
         wait 4s",
        &[
            "reset by=responder phase=first_data verdict=in_window cause=no_connection \
           evidence=wire_weak",
        ],
    ),
    scenario(
        "unverifiable",
        "met midstream, x never seen before: waits, and stands",
        "O A 1 1
         R R 77 win=0
         wait 4s",
        &[
            "reset by=responder phase=midstream verdict=unverifiable cause=no_connection \
           evidence=wire_weak seen=midstream segments=1/1 lost=0/0",
        ],
    ),
    scenario(
        "unverifiable_not_refuted_by_an_ack",
        "an ACK that repeats itself is no challenge where nobody knows what is due",
        "O A 1 1
         R R 77 win=0
         O A 1 1
         wait 4s",
        &[
            "reset by=responder phase=midstream verdict=unverifiable cause=no_connection \
           evidence=wire_weak seen=midstream",
        ],
    ),
    scenario(
        "doubt_counts_from_the_first",
        "another RST in doubt does not put the decision off",
        "open
         O PA 1+100 1
         R A 1 101
         R R 1000 win=0
         wait 2s
         R R 2000 win=0
         wait 1500ms",
        &[
            "reset by=responder phase=first_data verdict=in_window cause=no_connection \
           evidence=wire_weak",
        ],
    ),
    scenario(
        "unverifiable_refuted",
        "the same, but x goes on",
        "O A 1 1
         R R 77 win=0
         R PA 1+10 1
         O A 1 11
         wait 10s",
        &[
            "rst_rejected by=responder verdict=unverifiable",
            "live established seen=midstream",
        ],
    ),
    scenario(
        "in_window_is_not_exact_before_fin",
        "fin_minus_one needs the own FIN",
        "open
         R PA 1+10 1
         O A 1 11
         R R 10 win=0
         wait 4s",
        &["rst_rejected by=responder verdict=old", "live established"],
    ),
    scenario(
        "bad_checksum",
        "SYN, FIN and RST with a wrong checksum are ignored at ingress",
        "open
         O PA 1+100 1
         R A 1 101
         R RA 1 101 badsum
         R FA 1 101 badsum
         O S 50000 badsum
         O PA 101+100 1",
        &["live established bytes=200/0"],
    )
    .only(crate::language::Route::Xdp),
    scenario(
        "forged_closing",
        "two forged segments beyond both windows fake no ending",
        "open
         O PA 1+100 1
         R PA 1+100 101
         O A 101 101
         O FA 900000 800000
         R FA 800000 900001
         O A 900001 800001
         O PA 101+10 101
         R A 101 111",
        &[
            "implausible",
            "implausible",
            "implausible",
            "live established bytes=110/100 seen=whole",
        ],
    ),
    scenario(
        "window_of_the_syn_ack",
        "until R has sent more, its SYN-ACK's window, which is not scaled, is the measure",
        "open
         O R 65535 win=0
         O R 70000 win=0
         R A 1 1",
        &[
            "rst_rejected by=originator verdict=future",
            "rst_rejected by=originator verdict=in_window",
            "challenge_ack",
            "live established",
        ],
    ),
    scenario(
        "scale_refused",
        "R does not scale, so nobody does: O's 512 are 512 bytes",
        "O S 0 ws=7
         R SA 0 1
         O A 1 1
         R R 512 win=0
         O A 1 1
         R R 513 win=0",
        &[
            "rst_rejected by=responder verdict=in_window",
            "challenge_ack",
            "rst_rejected by=responder verdict=future",
            "live established",
        ],
    ),
    scenario(
        "scale_not_offered",
        "O did not offer to scale, so R's 512 are 512 bytes, whatever it answers",
        "O S 0
         R SA 0 1 ws=7
         O A 1 1
         R A 1 1
         O R 512 win=0
         O R 513 win=0",
        &[
            "rst_rejected by=originator verdict=in_window",
            "rst_rejected by=originator verdict=future",
            "live established",
        ],
    ),
    scenario(
        "scale_refused_before_the_syn",
        "the same, the SYN is seen late",
        "R SA 0 1
         O S 0 ws=7
         O A 1 1
         R R 512 win=0
         O A 1 1
         R R 513 win=0",
        &[
            "rst_rejected by=responder verdict=in_window",
            "challenge_ack",
            "rst_rejected by=responder verdict=future",
            "live established",
        ],
    ),
    scenario(
        "window_filled",
        "to its last byte it is plausible, and no further",
        "O S 0 win=512
         R SA 0 1
         O A 1 1
         R PA 1+512 1
         R PA 513+1 1",
        &["implausible", "live established bytes=0/512"],
    ),
    scenario(
        "below_the_window",
        "what lies more than a window below what was acked moves nothing",
        "O S 0
         R SA 0 1 win=512
         O PA 1+400 1
         R A 1 401
         O PA 401+400 1
         R A 1 801
         O PA 289+10 1
         O PA 288+10 1",
        &[
            "implausible",
            "live established bytes=800/0 retransmits=1/0",
        ],
    ),
    scenario(
        "forged_fin_below_the_own",
        "a FIN elsewhere, once the own was acked, is nobody's",
        "open
         O PA 1+100 1
         O FA 101 1
         R A 1 102
         O FA 51 1
         R FA 1 102
         O A 102 2",
        &[
            "implausible",
            "graceful by=originator phase=closing holder=originator bytes=100/0 lost=0/0",
        ],
    ),
    scenario(
        "blind_acks_move_nothing",
        "acks of what was never sent, and old ones",
        "open
         O PA 1+100 1
         R A 1 101
         R A 1 4000
         R A 1 -900000
         O PA 101+100 1
         R RA 1 201",
        &[
            "implausible",
            "implausible",
            "reset by=responder phase=first_data verdict=exact cause=active_abort \
             evidence=wire_strong lost=100/0 seen=whole",
        ],
    ),
    scenario(
        "unverifiable_at_zero",
        "of an end that was never seen nothing is exact, not even the number 0",
        "isn R 4294967295
         O A 1 1
         R R 1 win=0
         wait 4s",
        &[
            "reset by=responder phase=midstream verdict=unverifiable cause=no_connection \
             evidence=wire_weak",
        ],
    ),
    scenario(
        "unverifiable_beyond_zero",
        "nor in step",
        "isn R 4294967289
         O A 1 1
         R R 7 win=0
         wait 4s",
        &[
            "reset by=responder phase=midstream verdict=unverifiable cause=no_connection \
             evidence=wire_weak",
        ],
    ),
    scenario(
        "refuted_is_no_reset_to_zeek",
        "an RST that was refuted does not decide, and then nobody speaks",
        "open
         O PA 1+100 1
         R A 1 101
         R R 1000 win=0
         R A 1 101
         wait 7876s",
        &[
            "rst_rejected by=responder verdict=in_window",
            "idle_expired by=nobody phase=first_data zeek=S1 history=ShADar",
        ],
    ),
    scenario(
        "rst_in_doubt_is_no_reset_to_zeek",
        "while it waits, its connection is open to Zeek as well",
        "open
         R R 500 win=0",
        &["live established zeek=S1 history=ShAr elsewhere=0"],
    )
    .needs_hooks(),
];
