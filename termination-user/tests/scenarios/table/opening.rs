//! Odd ways to open: what comes in another order, twice, or without its options.

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "late_syn_keeps_what_was_known",
        "a SYN without options that comes after the ACK behind it",
        "R A 1 1
         R S 0
         O A 1 1
         O RA 1 1",
        &[
            "reset by=responder phase=midstream verdict=exact cause=active_abort \
             evidence=wire_strong",
        ],
    ),
    scenario(
        "late_syn_brings_its_scale",
        "a window that was offered before the SYN was seen is scaled all the same",
        "O PA 1+100 1
         O S 0 win=512 ws=12
         R A 838 101",
        &["live established"],
    ),
    scenario(
        "late_syn_of_a_simultaneous_open",
        "R's SYN comes after its ACK; the roles are no guess, for O's came first",
        "O S 0 ws=7
         R A 1 1
         R S 0 ws=7",
        &["live syn_received segments=1/2 history=Sas"],
    ),
    scenario(
        "late_syn_then_one_of_the_other_end",
        "met at O's FIN: its SYN comes late, and R's opens nothing, not even at \
         the number 0",
        "isn R 4294967295
         O FA 1 1
         O S 0 ws=7
         R S 1+125 ws=7",
        &[
            "live half_closed bytes=0/0 segments=2/0 lost=0/- segments_after=1/0 \
             history=FS zeek=SH",
        ],
    ),
    scenario(
        "refused_scale_gives_the_window_back",
        "R refuses the option: O's window is what its SYN said, not a 256th",
        "O S 0 ws=8
         R SA 0 1
         O A 1 1
         R PA 1+881 1",
        &["established", "live established bytes=0/881"],
    ),
    scenario(
        "window_of_a_lone_syn_ack",
        "nobody scales who has not offered: 512 is 512",
        "R SA 0 1 win=512
         O PA 1+759 1",
        &["implausible", "live syn_received"],
    ),
    scenario(
        "ack_below_a_lone_syn_ack",
        "what O has sent is known from what it acks",
        "R SA 0 1
         R A 1 -1000000",
        &["implausible", "live syn_received"],
    ),
    scenario(
        "syn_at_the_last_number",
        "known from its SYN-ACK alone: O's numbers have wrapped by then",
        "isn O 4294967295
         R SA 0 1
         O PA 1+100 1
         R A 1 101",
        &["established", "live established bytes=100/0"],
    ),
    scenario(
        "syn_ack_after_its_ack",
        "the SYN-ACK is seen last, as another CPU may have it",
        "O S 0 ws=7
         O A 1 1
         R SA 0 1 ws=7
         O PA 1+10 1
         R A 1 11",
        &[
            "established",
            "live established seen=whole retransmits=0/0 history=SAhDa",
        ],
    ),
    scenario(
        "syn_ack_after_a_fin",
        "even after the FIN",
        "O S 0 ws=0
         O FA 1 1
         R SA 0 1",
        &[
            "live half_closed retransmits=0/0 seen=whole history=SFh zeek=S2 \
             unanswered=0/0",
        ],
    ),
    scenario(
        "syn_ack_and_its_ack_missed",
        "R answers no SYN but goes on: its SYN-ACK was missed, and O acks what follows it",
        "O S 0 ws=7
         R PA 1+100 1
         O A 1 101
         R FA 101 1
         O FA 1 102
         R A 102 2",
        &[
            "established",
            "graceful by=responder phase=closing holder=responder bytes=0/100 seen=gaps \
             history=SdAfFa",
        ],
    ),
    scenario(
        "syn_ack_after_what_follows_it",
        "no retransmission, and nothing that R has sent is forgotten",
        "O S 0 ws=7
         R PA 1+100 1
         R SA 0 1 ws=7
         O A 1 101
         R SA 0 1 ws=7",
        &[
            "established",
            "live established bytes=0/100 retransmits=0/1 history=SdhA",
        ],
    ),
    scenario(
        "syn_ack_after_more_that_follows_it",
        "the same, where more was missed than the SYN-ACK",
        "O S 0 ws=7
         R PA 101+100 1
         R SA 0 1 ws=7
         O A 1 201",
        &[
            "established",
            "live established bytes=0/200 retransmits=0/0 lost=0/0 seen=gaps history=SdhA",
        ],
    ),
    scenario(
        "rst_after_a_missed_syn_ack",
        "R has accepted, so it does not refuse",
        "O S 0 ws=7
         R A 1 1
         R R 1 win=0",
        &[
            "handshake_aborted by=responder phase=syn_received verdict=train cause=bad_ack \
             evidence=wire_strong seen=gaps",
        ],
    ),
    scenario(
        "ack_before_its_syn_ack",
        "R has acked before its SYN-ACK is seen: that one is no other",
        "O S 0+114 ws=5
         R A 1 115
         R SA 0 115 ws=4",
        &["live syn_received retransmits=0/0 history=Sah zeek=S1 unanswered=0/0"],
    ),
    scenario(
        "syn_alone_after_its_syn_ack",
        "R repeats its SYN without an ack",
        "R SA 0 1 ws=7
         R S 0 ws=7",
        &[
            "live syn_received retransmits=0/1 lost=-/0 seen=one_sided history=^h \
             unanswered=0/1",
        ],
    ),
    scenario(
        "syn_ack_of_no_syn",
        "an ack of the ISN alone acks no SYN",
        "O S 0 ws=7
         R SA 0 0 ws=7",
        &["implausible", "live syn_sent"],
    ),
    scenario(
        "syn_ack_of_another_syn",
        "what does not ack the SYN that waits accepts nothing",
        "open
         O S 100001 ws=7
         R SA 5000 77 ws=7",
        &["implausible", "live established"],
    ),
    scenario(
        "syn_ack_of_the_originator",
        "elsewhere, and after its SYN was acked: not its own",
        "O S 0 ws=7
         O A 1 1
         O SA 1 786",
        &["established", "implausible", "live established"],
    ),
    scenario(
        "syn_ack_of_who_was_met_midstream",
        "an end that was seen to be further on has no handshake left",
        "R PA 1+814 1
         O A 1 815
         R S 0
         O SA 0 1",
        &["implausible", "live established"],
    ),
    scenario(
        "simultaneous_open_begun_anew",
        "O changes its mind before its first ISN was acked",
        "O S 0 ws=7
         R S 0 ws=7
         O SA 2 1 ws=7",
        &["live syn_received"],
    ),
    scenario(
        "simultaneous_open_with_payload",
        "nobody has acked what O's SYN carries",
        "isn O 3000000000
         O S 0+762 ws=7
         R S 0 ws=7
         O SA 0 1 ws=7",
        &["live syn_received bytes=762/0 lost=762/0 segments=2/1"],
    ),
    scenario(
        "superseding_syn_whose_scale_is_refused",
        "the window of a SYN that waited is kept whole",
        "R SA 0 1
         O S 100001 ws=7
         R SA 60671 100002
         O A 100002 60672
         R PA 60672+786 100002",
        &[
            "superseded by=originator phase=syn_received",
            "established",
            "live established",
        ],
    ),
    scenario(
        "reopened_by_a_syn_without_scale",
        "a SYN that waited offered none: how wide its window is, nobody knows",
        "R A 1 1
         O S 100 win=512
         O R 1 win=0
         O PA 101+336 50
         R A 1103 437",
        &[
            "half_open_discovered_by_syn by=originator phase=midstream \
             verdict=unverifiable cause=bad_ack evidence=wire_strong",
            "established",
            "live established",
        ],
    ),
    scenario(
        "syn_ack_then_acks_the_syn_alone",
        "R acks no more than its SYN-ACK did: the final ACK may be under way",
        "R SA 0 1
         R A 1 1",
        &["live syn_received"],
    ),
    scenario(
        "letter_of_payload_after_a_fast_open",
        "is looked for in the first four segments of who has sent some with its \
         SYN",
        "O S 0+30 ws=0
         R SA 0 31
         O A 31 1
         O A 31 1
         O A 31 1
         O PA 31+30 1",
        &["live established bytes=60/0 history=ShA"],
    ),
    scenario(
        "syn_ack_elsewhere_than_its_ack",
        "what is seen counts more than what followed from an ack",
        "O S 0 ws=7
         O A 1 1
         R SA 5000 1 ws=7",
        &["established", "live established seen=whole history=SAh"],
    ),
    scenario(
        "scale_refused_after_an_ack",
        "an ack came before the SYN-ACK that refuses the scale: the widest window \
         counts",
        "O S 0 ws=8
         O A 1 1
         R SA 0 1
         R R 30001 win=0
         wait 4s",
        &[
            "established",
            "reset by=responder phase=established_no_data verdict=in_window \
             cause=no_connection evidence=wire_weak",
        ],
    ),
    scenario(
        "payload_of_who_was_known_by_an_ack",
        "its bytes count from the ISN that was acked",
        "O S 0 ws=7
         O A 1 1
         R PA 101+10 1",
        &["established", "live established bytes=0/110"],
    ),
];
