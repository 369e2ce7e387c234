//! Of engine/gaps.rs and what it calls.

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "random_3781",
        "plausible.rs, segment.flags.fin() alone, without && ! segment.has(mark::FRA",
        "isn O 0
         O A 1 1
         pass 1514ms
         R FA -1 1 fragment",
        &["live established"],
    ),
    scenario(
        "random_33",
        "plausible.rs, equal too: after(other.acked, { let __left = end ; let __righ",
        "isn O 4294966998
         O A 1 1
         R A 31166 29672 fragment
         pass 318632ms
         O FA 1 1
         O A 953 1371
         R FA 1370 954",
        &[
            "implausible",
            "implausible",
            "live half_closed lost=28718/0",
        ],
    ),
    scenario(
        "random_374b",
        "plausible.rs, equal too: before(segment.ack, { let __left = other.sent ; le",
        "isn O 4294967294
         isn R 4294938026
         R SA 0 1 win=512
         pass 1ms
         R A 29271 761
         O A 761 29271",
        &["established", "live established"],
    ),
    scenario(
        "random_10b",
        "plausible.rs, ! mine.is(bit::FIN_ACKED) not negated",
        "isn O 4294965925
         isn R 4294966588
         R FPA 1+784 1
         R FA 786 1",
        &["live half_closed"],
    ),
    scenario(
        "random_152",
        "plausible.rs, ! segment.flags.fin() alone, without segment.payload == 0 &&",
        "R FPA 1+436 1
         R PA 1+437 1",
        &["implausible", "live half_closed"],
    ),
    scenario(
        "random_194",
        "plausible.rs, without faults |= fault::OTHER;",
        "isn O 0
         isn R 4294966475
         O FA 1 1 ts=4294966309/0
         R A 2 2 ts=4294966323/0
         O FA 2 1 ts=4294966323/0
         R A 2 3 ts=4294966330/0",
        &[
            "half_closed",
            "implausible",
            "implausible",
            "live half_closed",
        ],
    ),
    scenario(
        "random_107",
        "plausible.rs, faults == fault::UNSEEN always",
        "R FA 1 1
         R A 7466 8945
         O A 8944+1 2",
        &["implausible", "live half_closed lost=1/0"],
    ),
    scenario(
        "random_47",
        "plausible.rs, gap.detail for gap.detail & pending::GAP_BY_ACK",
        "R FA 1 1
         pass 1ms
         R PA 2+1057 -1878950012 win=0
         R A 1059 -1878948677 win=0",
        &[
            "implausible",
            "implausible",
            "live half_closed bytes=0/0 segments=0/1 lost=-/0 after=0/0 segments_after=0/0 gap=-/- seen=midstream history=^f",
        ],
    ),
    scenario(
        "random_2428",
        "plausible.rs, equal too: after(segment.end(), { let __left = gap.value ; le",
        "O S 0 win=0 ws=6 ts=4294966414/0
         R S 0 ws=11 ts=4294966414/0
         O A 1 1 win=0 ts=4294966421/0
         O A 1 825 win=0 ts=4294966428/0
         R A 825 1 ts=4294966428/0",
        &[
            "implausible",
            "implausible",
            "established",
            "live established",
        ],
    ),
    scenario(
        "random_3167",
        "plausible.rs, gap.detail &pending::GAP_BY_ACK != 0 alone, without && ! afte",
        "isn O 4294967295
         isn R 4294967295
         O FA 1 1
         R A -61 2
         O A 2 1
         R A 1403909717 2",
        &[
            "implausible",
            "implausible",
            "live half_closed bytes=0/0 segments=1/1 lost=0/0 segments_after=0/1 seen=midstream history=Fa",
        ],
    ),
    scenario(
        "random_699",
        "plausible.rs, gap.detail &pending::GAP_BY_ACK != 0 &&! after(segment.end(),",
        "R FA 1 1
         O A 0 1211601375 win=0
         pass 55800ms
         R PA 3+42325 1",
        &[
            "implausible",
            "implausible",
            "live half_closed bytes=0/0 segments=0/1 retransmits=0/0 lost=-/0 after=0/0 segments_after=0/0 gap=-/- seen=midstream history=^f unanswered=0/0",
        ],
    ),
    scenario(
        "random_902",
        "plausible.rs, gap.detail for gap.detail & pending::GAP_FRAGMENT",
        "isn R 4294967295
         O FA 1 1
         O A 2+971 646
         R A 646 29729",
        &[
            "implausible",
            "implausible",
            "live half_closed segments=1/0 lost=0/- after=0/0 segments_after=0/0 gap=-/- seen=midstream history=F",
        ],
    ),
    scenario(
        "random_1318",
        "plausible.rs, gap.detail &pending::GAP_FIN != 0 alone, without && (fragment",
        "O S 0 ws=13
         R A 1 1
         pass 84662ms
         O FA 32189 5
         R FA 4 31935",
        &[
            "implausible",
            "implausible",
            "live half_closed bytes=31934/3 segments_after=0/0 gap=-/- history=SaGf zeek=S3",
        ],
    )
    .needs_hooks(),
    scenario(
        "random_128",
        "plausible.rs, bit::FIN for bit::FIN | bit::FIN_ACKED",
        "R FA 1 1 win=0
         R PA 2+247 1 win=0
         O A 994 2 win=0
         O A 994 249 win=0
         R FA 249 994 win=0",
        &["implausible", "implausible", "live half_closed lost=0/0"],
    ),
];
