//! Every row of the taxonomy as packets with one right answer, through the
//! programs in the kernel and through the same engine on the host.

#[path = "scenarios/crowding.rs"]
mod crowding;
#[path = "scenarios/judge.rs"]
mod judge;
#[path = "scenarios/language.rs"]
mod language;
#[path = "scenarios/machine/mod.rs"]
mod machine;
#[path = "scenarios/run.rs"]
mod run;
#[path = "scenarios/skips.rs"]
mod skips;
#[path = "scenarios/table/mod.rs"]
mod table;
#[path = "scenarios/touches.rs"]
mod touches;
