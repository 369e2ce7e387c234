//! Of engine/handshake.rs and what it calls.

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "random_28",
        "handshake.rs, ! bit::SCALE_KNOWN not negated",
        "R S 0 ws=7 ts=4294966337/0
         O FPA 1+47070 1 ts=4294966365/0
         pass 50918ms
         O S 147072 ts=4294966372/0",
        &["live half_closed bytes=0/0 segments=1/2 lost=0/0 after=0/0 segments_after=0/1 gap=-/- history=Sfs"],
    ),
    scenario(
        "random_50",
        "handshake.rs, >> for <<: u32::from(half.window_max), shift",
        "isn R 0
         O S 0 ws=8 ts=4294966302/0
         R SA 0 1 ts=4294966302/0
         O A 1 1 ts=4294966309/0
         R PA 1+881 1 ts=4294966316/0",
        &["established", "live established"],
    ),
    scenario(
        "random_4001",
        "handshake.rs, without half.window = window;",
        "isn O 4294967295
         isn R 4294967295
         R S 0+168 ws=7 ts=4294966302/0
         R PA 1358+990 1 ts=4294966323/0
         O SA 3682+12 2346 win=512
         O RA 3682 -25049",
        &["established", "live established bytes=2347/12 retransmits=0/0 lost=2/12 seen=whole history=SDhr zeek=S1 unanswered=0/0"],
    ).needs_hooks(),
    scenario(
        "random_374",
        "handshake.rs, bit::ACK for bit::ACK | bit::SCALE_KNOWN",
        "isn O 4294967294
         isn R 4294938026
         R SA 0 1 win=512
         pass 1ms
         R A 29270+1 2
         O PA 2+759 29271",
        &["established", "implausible", "live established"],
    ),
    scenario(
        "random_3172",
        "handshake.rs, bit::SCALE_KNOWN for bit::ACK | bit::SCALE_KNOWN",
        "isn O 4294966363
         isn R 1
         O SA 0 1 win=512
         pass 1ms
         R PA 0+1040 1 ts=4294966316/0",
        &["implausible", "live syn_received"],
    ),
    scenario(
        "random_207",
        "handshake.rs, without other.sent = segment.ack;",
        "R SA 0 1 win=512
         pass 1ms
         R A 3 -1128185112 sack=0-1",
        &["implausible", "live syn_received"],
    ),
    scenario(
        "random_3862",
        "handshake.rs, without other.wraps = u16::from(segment.ack == 0);",
        "isn O 4294897239
         isn R 4294967295
         O SA 0 1 win=512
         O FA 68509 2
         O PA 68510+18926 2
         R A 3 70057 win=55919",
        &["implausible", "implausible", "live established bytes=2/70056 lost=1/0 history=^hfgA"],
    ),
    scenario(
        "random_1622",
        "handshake.rs, half.is(bit::SCALE_KNOWN) always",
        "isn O 0
         isn R 4294967295
         O PA 1+30436 1 ts=4294966309/0
         O S 0 win=512 ws=12 ts=4294966316/0
         R A 838 1 ts=4294966316/0",
        &["live established"],
    ),
    scenario(
        "random_1040",
        "handshake.rs, it for state.with(fact::ORIGINATOR)",
        "isn O 4294967295
         R A 1 1 ts=4294966309/0
         pass 288844ms
         R S 0 win=512 ws=5 ts=4294966337/0",
        &["live established segments=2/0 lost=0/- history=AS zeek=S0"],
    ),
    scenario(
        "random_7",
        "handshake.rs, bit::SEEN for bits & bit::SEEN",
        "R A 1 1 ts=4294966302/0 sack=0-1
         pass 1ms
         O S 1 win=512 ws=3 ts=4294966316/0",
        &["live established segments=0/1 lost=-/0 history=^a zeek=OTH"],
    ),
    scenario(
        "random_811",
        "handshake.rs, ! known &&bits &bit::SEEN != 0 alone, without && flow.state.i",
        "isn R 4294967295
         O S 0
         R A 1 1
         R S 0 win=512",
        &["live syn_received segments=1/2 history=Sas"],
    ),
    scenario(
        "random_62",
        "handshake.rs, history::contains(history, Letter::Syn, x) alone, without || ",
        "isn O 4294965320
         O SA 0 1 ts=4294966316/0
         O S 0 win=0 ws=10 ts=4294966330/0",
        &["live syn_received retransmits=0/1 lost=-/0 seen=one_sided history=^h unanswered=0/1"],
    ),
    scenario(
        "random_664",
        "handshake.rs, ! known alone, without && ! flow.state.is(fact::ESTABLISHED)",
        "isn O 0
         isn R 4294967295
         O FA 1 1
         pass 3982ms
         O S 0 win=512 ws=1
         R S 1+125 ws=13",
        &["live half_closed bytes=0/0 segments=2/0 lost=0/- segments_after=1/0 history=FS zeek=SH"],
    ),
    scenario(
        "random_21",
        "handshake.rs, ! flow.is_pending(kind::RST) always",
        "O FA 1 1
         pass 1ms
         O R 536819132
         pass 1ms
         R S -451543256 ws=13
         O RA 536931853 -451543255",
        &["live half_closed"],
    ).needs_hooks(),
    scenario(
        "random_32",
        "handshake.rs, without && segment.ack == kept.value.wrapping_add(1)",
        "O A 1 1 ts=4294966407/0
         O S 100001 ws=1 ts=4294966414/0
         R SA 2+3 -1326029931 win=512",
        &["implausible", "live established"],
    ),
    scenario(
        "random_2577",
        "handshake.rs, bits for bits & bit::SYN",
        "isn R 4294967295
         O S 0+114 ws=5 ts=4294966309/0
         R A 1 115 ts=4294966316/0 sack=114-115
         R SA 0 115 ws=4 ts=4294966309/0",
        &["live syn_received retransmits=0/0 history=Sah zeek=S1 unanswered=0/0"],
    ),
    scenario(
        "random_10",
        "handshake.rs, bits &bit::SYN != 0 alone, without && flow.cold_half(x).isn =",
        "isn O 4294965925
         isn R 4294966588
         O S 0 ws=10
         O A 1 1
         O SA 1 786 win=512",
        &["established", "implausible", "live established"],
    ),
    scenario(
        "random_264",
        "handshake.rs, same alone, without && seen",
        "isn R 4294967295
         O S 0 ws=0
         O FA 1 1
         R SA 0 1",
        &["live half_closed retransmits=0/0 seen=whole history=SFh zeek=S2 unanswered=0/0"],
    ),
    scenario(
        "random_4079",
        "handshake.rs, equal too: after(segment.ack, isn)",
        "isn O 4294964710
         isn R 4294967295
         O S 0 win=512
         R SA 0 0 win=512",
        &["implausible", "live syn_sent"],
    ),
    scenario(
        "random_655",
        "handshake.rs, bit::SYN for bit::SYN | bit::SYN_ACKED",
        "isn O 4294967294
         O S 0 win=512
         R S 0 ws=5
         O SA 2 1 ws=7",
        &["live syn_received"],
    ),
    scenario(
        "random_2495",
        "handshake.rs, ! due || taken alone, without || (flow.state.is(fact::ESTABLI",
        "isn O 4294967295
         isn R 4294965439
         R PA 1+814 1 ts=4294966309/0
         O A -45223 814
         R S 0 ts=4294966302/0
         O SA 0 1 ts=4294966323/0",
        &["implausible", "live established"],
    ),
    scenario(
        "random_187",
        "handshake.rs, same never",
        "R S 0+762 win=512
         O S 0 ws=1
         R SA 0 1 ws=13",
        &["live syn_received bytes=762/0 lost=762/0"],
    ),
];
