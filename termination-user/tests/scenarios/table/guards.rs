//! Guards: what they drop, and above all what they leave alone.

use super::{Scenario, scenario};
use crate::language::Route;

/// The responder is this host: it has 100 bytes of O, then comes `then`.
macro_rules! blind {
    ($name:literal, $description:literal, $then:literal, $($expected:literal),+) => {
        scenario(
            $name,
            $description,
            concat!("guard blind on\nopen\nO PA 1+100 1\nR A 1 101\n", $then),
            &[$($expected),+],
        )
        .only(Route::Server)
    };
}

/// The originator is this host and holds TIME_WAIT, then comes `then`.
macro_rules! waiting {
    ($name:literal, $description:literal, $then:literal, $($expected:literal),+) => {
        scenario(
            $name,
            $description,
            concat!(
                "guard time_wait on\nopen\nO FA 1 1\nR FA 1 2\nO A 2 2\nwait 10s\n",
                $then,
                "\nwait 61s"
            ),
            &[
                "graceful by=originator phase=closing holder=originator",
                $($expected),+
            ],
        )
        .only(Route::Host)
    };
}

pub(super) const TABLE: &[Scenario] = &[
    blind!(
        "guard_old",
        "below what was acked: nobody believes it, nobody gets it",
        "O R -500 win=0\nO PA 101+10 1\nR A 1 111",
        "rst_rejected by=originator verdict=old",
        "rst_guarded by=originator verdict=old guarded=blind_dropped",
        "live established bytes=110/0"
    ),
    blind!(
        "guard_future",
        "beyond every window that was ever offered",
        "O RA 9000000 1",
        "rst_rejected by=originator verdict=future",
        "rst_guarded by=originator verdict=future guarded=blind_dropped",
        "live established"
    ),
    blind!(
        "guard_lets_exact_pass",
        "the one that counts",
        "O R 101 win=0",
        "reset by=originator phase=first_data verdict=exact cause=no_connection evidence=wire_strong"
    ),
    blind!(
        "guard_lets_train_pass",
        "in step with what its sender has sent, not acked yet",
        "O PA 101+50 1\nO RA 151 1",
        "reset by=originator phase=first_data verdict=train cause=active_abort evidence=wire_strong"
    ),
    blind!(
        "guard_lets_fin_minus_one_pass",
        "one before RCV.NXT, after the sender's FIN",
        "O FA 101 1\nR A 1 102\nO R 101 win=0",
        "reset_after_own_fin by=originator phase=half_closed verdict=fin_minus_one"
    ),
    blind!(
        "guard_lets_in_window_pass",
        "its receiver answers by a challenge ACK",
        "O R 501 win=0\nR A 1 101",
        "rst_rejected by=originator verdict=in_window",
        "challenge_ack",
        "live established"
    ),
    blind!(
        "guard_lets_overlap_pass",
        "from below, with payload that reaches into the window: a handshake or a \
         FIN_WAIT_2 without a socket believes it (tcp_check_req, tcp_in_window)",
        "O R 51+51 win=0\nO R 51+50 win=0",
        "rst_rejected by=originator verdict=old",
        "rst_rejected by=originator verdict=old",
        "rst_guarded by=originator verdict=old guarded=blind_dropped",
        "live established"
    ),
    blind!(
        "guard_lets_the_edge_pass",
        "at the right edge, and what the shift cuts off beyond it; then more",
        "O R 65637 win=0\nO R 65765 win=0\nO R 65766 win=0",
        "rst_rejected by=originator verdict=future",
        "rst_rejected by=originator verdict=future",
        "rst_rejected by=originator verdict=future",
        "rst_guarded by=originator verdict=future guarded=blind_dropped",
        "live established"
    ),
    blind!(
        "guard_knows_the_widest_window",
        "the window shrank: what was offered once may still be in force",
        "R A 1 101 win=10\nO R 30000 win=0",
        "rst_rejected by=originator verdict=future",
        "live established"
    ),
    scenario(
        "guard_passes_where_a_fin_may_be",
        "a FIN that acks nothing of R's is none to anybody who watches; where O goes on \
         behind it, R may have taken one all the same",
        "guard blind on
         O S 0
         R S 0
         O FA 1 -50000
         R A 1 1
         O A 2 1
         R A 1 2
         O R 1 win=0
         O R 0 win=0",
        &[
            "implausible",
            "established",
            "rst_rejected by=originator verdict=old",
            "rst_rejected by=originator verdict=old",
            "rst_guarded by=originator verdict=old guarded=blind_dropped",
            "live established",
        ],
    )
    .only(Route::Server),
    scenario(
        "guard_waits_where_the_first_ack_was_not_taken",
        "this host acks what is nowhere near O's SYN, and nothing before",
        "guard blind on
         O S =2415916106
         R S =536870914
         O A =2415916107 =536870915
         R A =536870915 =4294964297
         R A =536870915 =2415916107
         O R =2415900000 win=0",
        &[
            "implausible",
            "established",
            "rst_rejected by=originator verdict=old",
            "live established seen=whole",
        ],
    )
    .only(Route::Server),
    scenario(
        "guard_waits_where_a_syn_ack_was_missed",
        "this host calls; what came between the SYN and its ack, a FIN perhaps, was \
         not seen",
        "guard blind on
         O S 0 ws=7
         O A 1 101
         R A 101 1
         R R 100 win=0
         R PA 101+10 1
         O A 1 111",
        &[
            "rst_rejected by=responder verdict=unverifiable",
            "live established seen=gaps",
        ],
    )
    .only(Route::Host),
    blind!(
        "guard_waits_for_a_receiver_that_began_anew",
        "this host has lost its state and says SYN: it believes an RST by its ack",
        "R S 90000 ws=7\nO RA =0 90001",
        "rst_rejected by=originator verdict=old",
        "live established"
    ),
    blind!(
        "guard_waits_where_a_window_was_not_taken",
        "this host offers more than ever, with an ack that is older than another",
        "O PA 101+50 1\nR A 1 151\nR A 1 101 win=60000\nO R -500 win=0",
        "rst_rejected by=originator verdict=old",
        "live established"
    ),
    blind!(
        "guard_minds_no_syn_of_the_sender",
        "a forged SYN does not switch it off",
        "O S 700000 ws=7\nR A 1 101\nO R -500 win=0",
        "challenge_ack",
        "rst_rejected by=originator verdict=old",
        "rst_guarded by=originator verdict=old guarded=blind_dropped",
        "live established"
    ),
    blind!(
        "guard_leaves_other_interfaces_alone",
        "an RST from where its sender never came in is not judged",
        "O R -500 win=0 home=98",
        "seen_elsewhere",
        "live established"
    ),
    blind!(
        "guard_leaves_a_new_way_in_alone",
        "the same once its sender has been quiet: it may have moved",
        "wait 2s\nO R -500 win=0 home=98",
        "rst_rejected by=originator verdict=old",
        "live established"
    ),
    scenario(
        "guard_needs_an_ack_of_this_host",
        "this host's SYN comes late, and what it has acked was never seen",
        "guard blind on
         R SA 0 1 ws=7
         R PA 1+10 1
         O S 0 ws=7
         R R -500 win=0",
        &[
            "rst_rejected by=responder verdict=old",
            "live established seen=whole",
        ],
    )
    .only(Route::Host),
    blind!(
        "guard_needs_all_of_it",
        "this host acked what was never seen: something was missed",
        "R A 1 5000\nR A 1 101\nO R -500 win=0",
        "implausible",
        "rst_rejected by=originator verdict=old",
        "live established"
    ),
    blind!(
        "guard_needs_one_way_out",
        "this host's acks leave elsewhere: what it has acked is not known",
        "O PA 101+10 1\nR A 1 111 home=99\nO R 105 win=0\nO R -500 win=0",
        "seen_elsewhere",
        "rst_rejected by=originator verdict=old",
        "live established"
    ),
    blind!(
        "guard_minds_no_second_look",
        "the same seen to leave twice, as by a bond and its member",
        "O PA 101+10 1\nR A 1 111\nR A 1 111 home=99\nO R -500 win=0",
        "seen_elsewhere",
        "rst_rejected by=originator verdict=old",
        "rst_guarded by=originator verdict=old guarded=blind_dropped",
        "live established"
    ),
    blind!(
        "guard_is_switched_live",
        "off, dry run, on: between two segments",
        "guard blind off\nO R -500 win=0\nguard blind dry_run\nO R -501 win=0
         guard blind on\nO R -502 win=0",
        "rst_rejected by=originator verdict=old",
        "rst_rejected by=originator verdict=old",
        "rst_guarded by=originator verdict=old guarded=blind_would_drop",
        "rst_rejected by=originator verdict=old",
        "rst_guarded by=originator verdict=old guarded=blind_dropped",
        "live established"
    ),
    scenario(
        "guard_needs_the_handshake",
        "met midstream: not judged",
        "guard blind on\nO PA 1+100 1\nR PA 1+10 101\nO A 101 11\nO R -500 win=0",
        &["rst_rejected by=originator verdict=old", "live established"],
    )
    .only(Route::Server),
    scenario(
        "guard_needs_both_ways",
        "the end that would get it is not seen to leave this host: not judged",
        "guard blind on\nguard time_wait on\nopen\nO PA 1+100 1\nR A 1 101\nO R -500 win=0",
        &["rst_rejected by=originator verdict=old", "live established"],
    )
    .only(Route::Xdp),
    scenario(
        "guard_leaves_what_goes_out_alone",
        "this host's own RST",
        "guard blind on\nopen\nO PA 1+100 1\nR A 1 101\nO R -500 win=0",
        &["rst_rejected by=originator verdict=old", "live established"],
    )
    .only(Route::Host),
    waiting!(
        "guard_time_wait",
        "an exact RST: the wait goes on, here as in the kernel (RFC 1337)",
        "R R 2 win=0",
        "rst_guarded by=responder guarded=time_wait_dropped",
        "time_wait expired restarts=0/0"
    ),
    waiting!(
        "guard_time_wait_dry_run",
        "counted, and the wait is over",
        "guard time_wait dry_run\nR R 2 win=0",
        "time_wait assassinated restarts=0/0",
        "rst_guarded by=responder guarded=time_wait_would_drop"
    ),
    waiting!(
        "guard_time_wait_lets_others_pass",
        "that end no wait",
        "R R 1 win=0\nR R 500 win=0\nR R 90000000 win=0",
        "time_wait expired restarts=0/0"
    ),
    waiting!(
        "guard_time_wait_minds_no_old_syn",
        "a SYN that the wait refuses changes nothing",
        "R S -9 ws=7\nO A 2 2\nR R 2 win=0",
        "rst_guarded by=responder guarded=time_wait_dropped",
        "time_wait expired restarts=0/0 answer=ack"
    ),
    waiting!(
        "guard_time_wait_ends_with_the_wait",
        "the holder calls again (tcp_tw_reuse), and is refused: it has to learn of it",
        "O S 5000 ws=7\nR RA =0 5001 win=0",
        "time_wait expired restarts=0/0 answer=rst"
    ),
    scenario(
        "guard_time_wait_of_others",
        "the other end holds the wait: not judged here",
        "guard time_wait on\nopen\nR FA 1 1\nO FA 1 2\nR A 2 2\nwait 10s\nR R 2 win=0\nwait 61s",
        &[
            "graceful by=responder phase=closing holder=responder",
            "time_wait expired restarts=0/0",
        ],
    )
    .only(Route::Host),
];
