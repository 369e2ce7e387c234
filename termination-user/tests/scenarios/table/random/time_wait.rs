//! Of engine/time_wait.rs and what it calls.

use super::{Scenario, scenario};

pub(super) const TABLE: &[Scenario] = &[
    scenario(
        "random_51",
        "linger.rs, segment.flags.syn() alone, without && ! segment.flags.ack()",
        "isn O 4294967295
         R RA 1 1
         R SA 5498+875 2147261205 win=512 fragment",
        &[
            "reset by=responder phase=midstream verdict=unverifiable",
            "stray_segment",
        ],
    ),
    scenario(
        "random_411",
        "linger.rs, flow.cold_half(x).isn == segment.seq alone, without flow.half(x)",
        "isn O 0
         isn R 4294967294
         R RPU 1
         O S 0 ts=4294966302/0",
        &[
            "reset by=responder phase=midstream verdict=unverifiable",
            "live syn_sent",
        ],
    ),
    scenario(
        "random_416",
        "linger.rs, over &&segment.flags.syn() alone, without && ! segment.flags.ack",
        "isn O 4294965011
         isn R 4294967295
         R FA 1 1 ts=4294966316/0
         O FA 1 2 ts=4294966330/0
         R A 2 2 ts=4294966323/0
         pass 4638979ms
         O SPAU 104228 -1878979803 win=47476",
        &[
            "graceful by=responder phase=closing holder=responder",
            "stray_segment",
        ],
    )
    .needs_hooks(),
    scenario(
        "random_0",
        "linger.rs, segment.flags.ack() alone, without segment.flags.syn() &&",
        "O FA 1 1
         R FA 1 2
         O A 2 2
         pass 1ms
         O S 100233 ws=2
         R A 2 100234",
        &[
            "graceful by=originator phase=closing holder=originator",
            "stray_segment",
            "stray_segment",
            "time_wait_restarted",
        ],
    ),
    scenario(
        "random_93",
        "linger.rs, without && segment.ack == kept.value.wrapping_add(1)",
        "isn O 4294966427
         O FA 1 1
         R FA 1 2
         O A 2 2
         O S 100464 ws=7
         pass 3382ms
         R SA -1878929511 -1878946767 win=512",
        &[
            "graceful by=originator phase=closing holder=originator",
            "stray_segment",
            "stray_segment",
            "time_wait_restarted",
        ],
    ),
];
