//! TIME_WAIT: restarts, reuse, assassination. Rows of a real kernel's timer.

use super::{Scenario, scenario};
use crate::language::Route;

/// A close by O in a row of segments, then `then`; O's wait is restarted as
/// `restarts` says when it expires.
macro_rules! waiting {
    ($name:literal, $description:literal, $then:literal, $restarts:literal) => {
        scenario(
            $name,
            $description,
            concat!(
                "open\nO FA 1 1\nR FA 1 2\nO A 2 2\nwait 30s\n",
                $then,
                "\nwait 61s"
            ),
            &[
                "graceful by=originator phase=closing holder=originator",
                concat!("time_wait expired restarts=", $restarts),
            ],
        )
    };
}

/// A close by R with timestamps (O's last is 100, R's 200), then `then`.
macro_rules! stamped {
    ($name:literal, $description:literal, $then:literal, $($expected:literal),+) => {
        scenario(
            $name,
            $description,
            concat!(
                "O S 0 ws=7 ts=10/0
                 R SA 0 1 ws=7 ts=20/10
                 O A 1 1 ts=11/20
                 R FA 1 1 ts=200/11
                 O FA 1 2 ts=100/200
                 R A 2 2 ts=200/100
                 wait 10s
                ",
                $then
            ),
            &[
                "graceful by=responder phase=closing holder=responder",
                $($expected),+
            ],
        )
    };
}

/// The same without timestamps.
macro_rules! plain {
    ($name:literal, $description:literal, $then:literal, $($expected:literal),+) => {
        scenario(
            $name,
            $description,
            concat!("open\nR FA 1 1\nO FA 1 2\nR A 2 2\nwait 10s\n", $then),
            &[
                "graceful by=responder phase=closing holder=responder",
                $($expected),+
            ],
        )
    };
}

pub(super) const TABLE: &[Scenario] = &[
    plain!(
        "over_before_anybody_looked",
        "2 MSL have passed, and no controller runs: a SYN reuses nothing",
        "pass 1000s\nO S 5000 ws=7\nR SA 9000 5001 ws=7\nO A 5001 9001",
        "time_wait expired restarts=0/0 left=60000|60001",
        "live established"
    ),
    plain!(
        "over_and_a_stray",
        "nothing is left to be restarted, killed or resurrected",
        "pass 1000s\nO FA 1 2\nO RA 2 2\nR A 2 2\npass 1s\nO S 5000 ws=7\nwait 61s",
        "time_wait expired restarts=0/0 left=60000|60001",
        "unanswered by=responder phase=syn_sent"
    )
    .needs_hooks(),
    waiting!("restart_by_fin", "a FIN again", "R FA 1 2\nO A 2 2", "1/1"),
    waiting!(
        "restart_by_fins",
        "twice",
        "R FA 1 2\nO A 2 2\nwait 30s\nR FA 1 2\nO A 2 2",
        "2/2"
    ),
    waiting!(
        "restart_by_old_data",
        "old data",
        "R PA -50+20 2\nO A 2 2",
        "1/0"
    ),
    waiting!(
        "restart_by_late_data",
        "data after the FIN",
        "R PA 2+10 2\nO A 2 2",
        "1/0"
    ),
    waiting!(
        "restart_by_probe",
        "an ACK one below RCV.NXT",
        "R A 1 2\nO A 2 2",
        "1/0"
    ),
    waiting!(
        "restart_by_ack",
        "an exact ACK, which gets no answer",
        "R A 2 2",
        "1/0"
    ),
    waiting!(
        "restart_by_ack_of_any",
        "whatever it acks",
        "R A 2 900",
        "1/0"
    ),
    waiting!(
        "restart_by_syn_ack",
        "a SYN-ACK",
        "R SA 0 1 ws=7\nO A 2 2",
        "1/0"
    ),
    waiting!(
        "no_restart_by_holder",
        "what the holder itself sends",
        "O A 2 2",
        "0/0"
    ),
    waiting!(
        "no_restart_by_old_syn",
        "a plain old SYN, answered by an ACK",
        "R S -9 ws=7\nO A 2 2",
        "0/0 answer=ack"
    ),
    waiting!(
        "no_restart_by_refused_syn",
        "no listener: an ACK",
        "R S 5000 ws=7\nO A 2 2",
        "0/0 answer=ack"
    ),
    waiting!(
        "no_restart_by_reset_near",
        "RSTs beside RCV.NXT",
        "R R 1 win=0\nR R 3 win=0\nR R 3000 win=0\nR R -100 win=0",
        "0/0"
    ),
    scenario(
        "expiry_counts_from_the_restart",
        "60 s after the last segment that restarted it",
        "open
         O FA 1 1
         R FA 1 2
         O A 2 2
         wait 50s
         R FA 1 2
         wait 59s
         R FA 1 2
         wait 59s",
        &["graceful by=originator phase=closing holder=originator"],
    ),
    scenario(
        "both_wait",
        "of two that wait each restarts by the other's segments",
        "open
         O FA 1 1
         R FA 1 1
         O A 2 2
         R A 2 2
         R FA 1 2
         O A 2 2
         wait 61s",
        &[
            "graceful_simultaneous by=both phase=closing holder=both",
            "time_wait expired restarts=2/-",
        ],
    ),
    scenario(
        "both_wait_and_one_opens_anew",
        "where both wait, a SYN has the other's rule to keep",
        "open
         O FA 1 1
         R FA 1 1
         O A 2 2
         R A 2 2
         wait 10s
         O S 5000 ws=7
         R SA 70000 5001 ws=7",
        &[
            "graceful_simultaneous by=both phase=closing holder=both",
            "time_wait reused_by_sequence restarts=0/- answer=syn_ack",
            "live syn_received",
        ],
    ),
    scenario(
        "assassinated",
        "an exact RST inside 2 MSL (10)",
        "open
         O FA 1 1
         R FA 1 2
         O A 2 2
         R R 2 win=0
         wait 61s",
        &[
            "graceful by=originator phase=closing holder=originator",
            "time_wait assassinated|offered restarts=0/0",
        ],
    ),
    scenario(
        "assassination_offered",
        "the same, sent by this host: whether the holder obeys cannot be seen",
        "open
         R FA 1 1
         O FA 1 2
         R A 2 2
         O R 2 win=0",
        &[
            "graceful by=responder phase=closing holder=responder",
            "time_wait offered restarts=0/0",
        ],
    )
    .only(Route::Host),
    scenario(
        "assassination_ignored",
        "with tcp_rfc1337 this host's wait goes on",
        "rfc1337
         open
         R FA 1 1
         O FA 1 2
         R A 2 2
         O R 2 win=0
         wait 61s",
        &[
            "graceful by=responder phase=closing holder=responder",
            "time_wait expired restarts=0/0",
        ],
    )
    .only(Route::Server),
    plain!(
        "reused_by_sequence",
        "a SYN beyond, without timestamps (9)",
        "O S 5000 ws=7\nR SA 70000 5001 ws=7\nO A 5001 70001",
        "time_wait reused_by_sequence restarts=0/0 answer=syn_ack",
        "live established segments=2/1"
    ),
    plain!(
        "reuse_keeps_the_scale",
        "the SYN that waited for its answer had a window scale",
        "O S 5000 ws=7\nR SA 70000 5001 ws=7\nO A 5001 70001
         R R 135536 win=0\nO A 5001 70001\nR R 135537 win=0",
        "time_wait reused_by_sequence restarts=0/0 answer=syn_ack",
        "rst_rejected by=responder verdict=in_window",
        "challenge_ack",
        "rst_rejected by=responder verdict=future",
        "live established"
    ),
    plain!(
        "reuse_without_scale",
        "and if it had none, nobody scales",
        "O S 5000\nR SA 70000 5001 ws=7\nO A 5001 70001
         R R 70512 win=0\nO A 5001 70001\nR R 70513 win=0",
        "time_wait reused_by_sequence restarts=0/0 answer=syn_ack",
        "rst_rejected by=responder verdict=in_window",
        "challenge_ack",
        "rst_rejected by=responder verdict=future",
        "live established"
    ),
    plain!(
        "reused_early",
        "an old ISN is accepted all the same (9)",
        "O S -5000 ws=7\nR SA 70000 -4999 ws=7\nO A -4999 70001",
        "time_wait reused_early answer=syn_ack",
        "live established"
    ),
    plain!(
        "reused_early_at_the_next_number",
        "the ISN has to be beyond, as the kernel asks",
        "O S 2 ws=7\nR SA 70000 3 ws=7",
        "time_wait reused_early answer=syn_ack",
        "live syn_received"
    ),
    plain!(
        "assassinated_by_a_stamp_among_none",
        "without a timestamp before it none is old",
        "O R 2 win=0 ts=3000000000/1",
        "time_wait assassinated|offered restarts=0/0"
    ),
    plain!(
        "reused_early_after_an_ack",
        "first the holder says that it remembers",
        "O S -5000 ws=7\nR A 2 2\nO S -5000 ws=7\nR SA 70000 -4999 ws=7",
        "time_wait reused_early answer=ack",
        "live syn_received"
    ),
    plain!(
        "reused_early_after_a_reset",
        "first nobody is there for it",
        "O S -5000 ws=7\nR RA =0 -4999 win=0\nO S -5000 ws=7\nR SA 70000 -4999 ws=7",
        "time_wait reused_early answer=rst",
        "live syn_received"
    ),
    plain!(
        "reused_early_after_silence",
        "the SYN has to be sent again before anything comes back",
        "O S -5000 ws=7\nwait 1s\nO S -5000 ws=7\nR SA 70000 -4999 ws=7",
        "time_wait reused_early answer=silence",
        "live syn_received"
    ),
    plain!(
        "another_syn_has_an_answer_of_its_own",
        "what came back to the first does not count for the second",
        "O S -5000 ws=7\nR A 2 2\nO S -3000 ws=7\nR SA 70000 -2999 ws=7",
        "time_wait reused_early answer=syn_ack",
        "live syn_received"
    ),
    plain!(
        "assassinated_by_its_successor",
        "an old SYN draws an ACK, the ACK an RST, and that is exact (RFC 1337 2)",
        "O S -5000 ws=7\nR A 2 2\nO R 2 win=0\nO S -5000 ws=7\nR SA 70000 -4999 ws=7",
        "time_wait assassinated|offered restarts=0/0 answer=ack",
        "live syn_received segments=1/1"
    ),
    plain!(
        "syn_unanswered",
        "until a SYN-ACK the wait goes on",
        "O S 5000 ws=7\nwait 51s\nO A 2 2",
        "time_wait expired restarts=0/0 answer=silence",
        "live established seen=midstream"
    ),
    scenario(
        "reused_by_holder",
        "the SYN of the only holder (tcp_tw_reuse): no rule to break (9)",
        "open
         O FA 1 1
         R FA 1 2
         O A 2 2
         wait 2s
         O S -70000 ws=7
         R SA 70000 -69999 ws=7
         O A -69999 70001
         O RA -69999 70001",
        &[
            "graceful by=originator phase=closing holder=originator",
            "time_wait reused_by_holder restarts=0/0 answer=syn_ack",
            "reset by=originator phase=established_no_data verdict=exact cause=active_abort \
             evidence=wire_strong",
        ],
    ),
    stamped!(
        "reused_by_timestamp",
        "a newer timestamp, whatever the ISN (9, RFC 6191)",
        "O S -5000 ws=7 ts=101/0\nR SA 70000 -4999 ws=7 ts=300/101\nO A -4999 70001 ts=101/300",
        "time_wait reused_by_timestamp restarts=0/0 answer=syn_ack",
        "live established"
    ),
    stamped!(
        "reused_by_sequence_at_equal_stamp",
        "an equal timestamp decides nothing, the ISN does",
        "O S 5000 ws=7 ts=100/0\nR SA 70000 5001 ws=7 ts=300/100",
        "time_wait reused_by_sequence restarts=0/0 answer=syn_ack",
        "live syn_received"
    ),
    stamped!(
        "reused_early_at_equal_stamp",
        "and here it is old",
        "O S -5000 ws=7 ts=100/0\nR SA 70000 -4999 ws=7 ts=300/100",
        "time_wait reused_early answer=syn_ack",
        "live syn_received"
    ),
    stamped!(
        "reused_early_by_older_stamp",
        "an older timestamp is refused whatever the ISN, and restarts the wait",
        "O S 5000 ws=7 ts=99/0\nR A 2 2 ts=300/100\nO S 5000 ws=7 ts=99/0\nR SA 70000 5001 ws=7 ts=300/99",
        "time_wait_restarted",
        "time_wait_restarted",
        "time_wait reused_early restarts=2/0 answer=ack",
        "live syn_received segments=1/1"
    ),
    stamped!(
        "reused_by_sequence_without_stamps",
        "the new SYN has none",
        "O S 5000 ws=7\nR SA 70000 5001 ws=7",
        "time_wait reused_by_sequence restarts=0/0 answer=syn_ack",
        "live syn_received"
    ),
    stamped!(
        "restart_by_outdated_data",
        "refused by its timestamp (PAWS)",
        "O PA 2+10 2 ts=50/200\nwait 61s",
        "time_wait expired restarts=1/0"
    ),
    stamped!(
        "outdated_reset",
        "an exact RST with an old timestamp is ignored",
        "O R 2 win=0 ts=50/200\nwait 61s",
        "time_wait expired restarts=0/0"
    ),
    plain!(
        "reused_twice",
        "each reuse is a record of its own",
        "O S 5000 ws=7\nR SA 70000 5001 ws=7\nO A 5001 70001\nR FA 70001 5001\nO FA 5001 70002
         R A 70002 5002\nO S 9000 ws=7\nR SA 90000 9001 ws=7\nO A 9001 90001\nO RA 9001 90001",
        "time_wait reused_by_sequence restarts=0/0 answer=syn_ack",
        "graceful by=responder phase=closing holder=responder",
        "time_wait reused_by_sequence restarts=0/0 answer=syn_ack",
        "reset by=originator phase=established_no_data verdict=exact cause=active_abort evidence=wire_strong"
    ),
];
