//! Closed by FINs.

use super::{Scenario, scenario};
use crate::language::Route;

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "graceful",
        "the ordinary close in three segments, O first",
        "open
         O PA 1+100 1
         R A 1 101
         R PA 1+200 101
         O A 101 201
         O FA 101 201
         R FA 201 102
         O A 102 202
         wait 59s
         wait 2s",
        &[
            "no half_closed",
            "graceful by=originator phase=closing holder=originator bytes=100/200 lost=0/0 \
             segments=6/4 retransmits=0/0 after=0/0 segments_after=1/1 gap=1/1 seen=whole \
             duration=9 zeek=SF",
            "time_wait expired restarts=0/0",
        ],
    ),
    scenario(
        "graceful_in_four",
        "R acks first and closes later, without new payload",
        "open
         O FA 1 1
         R A 1 2
         wait 5s
         R FA 1 2
         O A 2 2",
        &[
            "half_closed",
            "graceful by=originator phase=closing holder=originator gap=1/5002",
        ],
    ),
    scenario(
        "graceful_by_responder",
        "R first: R holds TIME_WAIT",
        "open
         R PA 1+10 1
         O A 1 11
         R FA 11 1
         O FA 1 12
         R A 12 2
         wait 61s",
        &[
            "graceful by=responder phase=closing holder=responder bytes=0/10",
            "time_wait expired restarts=0/0",
        ],
    ),
    scenario(
        "half_close",
        "the reply comes 10 s after the client's FIN (1)",
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
             after=0/500 lost=0/0 gap=1/10004 segments_after=2/3",
        ],
    ),
    scenario(
        "half_close_in_the_fin",
        "new payload in the FIN segment counts",
        "open
         O FA 1 1
         R FPA 1+40 2
         O A 2 42",
        &[
            "graceful_half_close by=originator phase=closing holder=originator after=0/40 \
           history=ShAFf completeness=31",
        ],
    ),
    scenario(
        "payload_that_crossed",
        "payload sent before the FIN was acked is not half-close",
        "open
         O FA 1 1
         R PA 1+40 1
         R FA 41 2
         O A 2 42",
        &["graceful by=originator phase=closing holder=originator bytes=0/40 after=0/0"],
    ),
    scenario(
        "retransmission_after_fin",
        "payload sent again after the FIN was acked is not new",
        "open
         R PA 1+40 1
         O FA 1 1
         R PA 1+40 2
         R FA 41 2
         O A 2 42",
        &["graceful by=originator phase=closing holder=originator retransmits=0/1 after=0/0"],
    ),
    scenario(
        "half_new_after_fin",
        "of a segment that repeats and goes on only the rest is new",
        "open
         R PA 1+40 1
         O FA 1 1
         R PA 1+100 2
         R FA 101 2
         O A 2 102",
        &["graceful_half_close by=originator phase=closing holder=originator after=0/60"],
    ),
    scenario(
        "simultaneous",
        "crossing FINs (11): neither acks the other, both hold TIME_WAIT",
        "open
         O FA 1 1
         R FA 1 1
         O A 2 2
         R A 2 2
         wait 61s",
        &[
            "graceful_simultaneous by=both phase=closing holder=both gap=3/1",
            "time_wait expired restarts=0/-",
        ],
    ),
    scenario(
        "simultaneous_repeated",
        "a repeated FIN acks the other, its first copy did not",
        "open
         O FA 1 1
         R FA 1 1
         O FA 1 2
         R A 2 2",
        &[
            "graceful_simultaneous by=both phase=closing holder=both retransmits=1/0 \
           gap=3/1",
        ],
    ),
    scenario(
        "last_ack_lost",
        "the FIN comes again and is acked again (3): one restart",
        "open
         O FA 1 1
         R FA 1 2
         O A 2 2
         R FA 1 2
         O A 2 2
         wait 61s",
        &[
            "graceful by=originator phase=closing holder=originator",
            "stray_segment",
            "time_wait_restarted",
            "stray_segment",
            "time_wait expired restarts=1/1",
        ],
    ),
    scenario(
        "fin_repeated",
        "many copies of a FIN are one (19)",
        "open
         O FA 1 1
         wait 1s
         O FA 1 1
         wait 2s
         O FA 1 1
         wait 4s
         O FA 1 1
         R FA 1 2
         O A 2 2",
        &["graceful by=originator phase=closing holder=originator retransmits=3/0"],
    ),
    scenario(
        "fin_by_its_responder_repeated",
        "the first copy decides who is first",
        "open
         O FA 1 1
         R FA 1 2
         R FA 1 2
         O A 2 2",
        &["graceful by=originator phase=closing holder=originator retransmits=0/1"],
    ),
    scenario(
        "wrap_at_the_fin",
        "sequence numbers wrap at the FIN (15): as without",
        "isn O 4294967194
         isn R 4294967290
         open
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
            "graceful_half_close by=originator phase=closing holder=originator bytes=100/500 \
             after=0/500 lost=0/0",
        ],
    ),
    scenario(
        "isn_at_the_wrap",
        "both SYNs are the last number before the wrap",
        "isn O 4294967295
         isn R 4294967295
         open
         O PA 1+100 1
         R PA 1+30 101
         O FA 101 31
         R FA 31 102
         O A 102 32",
        &["graceful by=originator phase=closing holder=originator bytes=100/30 lost=0/0"],
    ),
    scenario(
        "tagged",
        "VLAN, QinQ, IP options or extension headers and padding (16): as without",
        "O S 0 ws=7 vlan
         R SA 0 1 ws=7 vlan
         O A 1 1 qinq
         O PA 1+100 1 extended
         R A 1 101 padded
         O FA 101 1 qinq
         R FA 1 102 extended
         O A 102 2 vlan",
        &["graceful by=originator phase=closing holder=originator bytes=100/0 lost=0/0 seen=whole"],
    ),
    scenario(
        "fragment",
        "of a first fragment the FIN counts and the end does not (16)",
        "open
         O FA 1 1
         R FPA 1+1000 2 fragment
         O A 2 1602",
        &[
            "graceful by=originator phase=closing holder=originator bytes=0/1600 seen=gaps \
             history=ShAFgf zeek=SF",
            "implausible",
        ],
    ),
    scenario(
        "super_segment",
        "a FIN on a super-segment at egress (14): exact, and its packets counted",
        "open
         O FPA 1+20000 1 gso=14
         R FA 1 20002
         O A 20002 2",
        &["graceful by=originator phase=closing holder=originator bytes=20000/0 segments=17/2"],
    )
    .only(Route::Host),
    scenario(
        "fin_withdrawn",
        "a forged FIN in the window: y acks more than it, so it was none",
        "open
         O FA 501 1
         O PA 1+1000 1
         R A 1 1001
         O PA 1001+100 1
         R A 1 1101",
        &[
            "implausible",
            "implausible",
            "live established bytes=1100/0 seen=gaps",
        ],
    ),
    scenario(
        "fin_below_what_is_acked",
        "a forged FIN where y has acked more: y takes it for old, so it is none",
        "open
         O PA 1+1000 1
         R A 1 1001
         O FA 501 1
         R FA 1 1001
         O A 1001 2
         O PA 1001+10 2
         R A 2 1011",
        &[
            "implausible",
            "half_closed",
            "live half_closed bytes=1010/0 seen=whole",
        ],
    ),
    scenario(
        "fin_moved",
        "a FIN elsewhere replaces one that nobody acked",
        "open
         O FA 501 1
         O FPA 1+100 1
         R FA 1 102
         O A 102 2",
        &["graceful by=originator phase=closing holder=originator"],
    ),
    scenario(
        "late_data_before_the_fin",
        "reordered: the FIN was seen before the payload it follows",
        "open
         O FA 101 1
         O PA 1+100 1
         R FA 1 102
         O A 102 2",
        &["graceful by=originator phase=closing holder=originator bytes=100/0 lost=0/0"],
    ),
    scenario(
        "capture_reordered_the_fins",
        "R's FIN, which acks O's, was seen before it: by acks O is first",
        "open
         R FA 1 2
         O FA 1 1
         O A 2 2",
        &[
            "implausible",
            "graceful by=originator phase=closing holder=originator seen=whole lost=0/0",
            "implausible",
        ],
    ),
    scenario(
        "fin_lost_by_the_observer",
        "O's FIN was missed: R's word shows that there was a byte, not which",
        "open
         R A 1 2
         R FA 1 2
         O A 2 2
         wait 3601s",
        &[
            "implausible",
            "implausible",
            "implausible",
            "half_closed_abandoned by=responder phase=half_closed seen=gaps",
        ],
    ),
    scenario(
        "ack_before_its_fin",
        "the last ACK is seen before the FIN that it acks, as two CPUs may have it",
        "open
         O FA 1 1
         R A 1 2
         O A 2 2
         R FA 1 2
         wait 61s",
        &[
            "half_closed",
            "implausible",
            "graceful by=originator phase=closing holder=originator seen=whole lost=0/0",
            "time_wait expired restarts=0/0",
        ],
    ),
    scenario(
        "first_ack_before_its_fin",
        "the same of the first FIN",
        "open
         R A 1 2
         O FA 1 1
         R FA 1 2
         O A 2 2",
        &[
            "implausible",
            "half_closed",
            "graceful by=originator phase=closing holder=originator seen=whole gap=0/1",
        ],
    ),
    scenario(
        "ack_of_more_than_the_fin",
        "an ack that nothing bears out to the byte stays implausible",
        "open
         O FA 1 1
         R A 1 2
         O A 2 3
         R FA 1 2
         wait 61s",
        &[
            "implausible",
            "graceful_unconfirmed by=originator phase=closing",
        ],
    ),
    scenario(
        "fin_without_window",
        "a FIN that offers no window: Zeek's letter for that comes after the FIN's",
        "open
         O FA 1 1 win=0
         R FA 1 2
         O A 2 2",
        &["graceful by=originator phase=closing holder=originator history=ShAFWf"],
    ),
    scenario(
        "unconfirmed",
        "two FINs, the second never acked",
        "open
         O FA 1 1
         R FA 1 2
         wait 61s",
        &["graceful_unconfirmed by=originator phase=closing lost=0/0"],
    ),
    scenario(
        "unconfirmed_repeated",
        "two FINs, the second repeated and never acked",
        "open
         O FA 1 1
         R FA 1 2
         wait 1s
         R FA 1 2
         wait 61s",
        &[
            "graceful_unconfirmed by=originator phase=closing cause=retransmit_timeout \
           evidence=wire_weak",
        ],
    ),
    scenario(
        "unconfirmed_crossing",
        "crossing FINs, only one acked",
        "open
         O FA 1 1
         R FA 1 1
         R A 2 2
         wait 61s",
        &["graceful_unconfirmed by=both phase=closing"],
    ),
];
