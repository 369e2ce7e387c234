//! `termination pcap`, the program as it is installed, over captures made
//! here: what it reads, what it says, in whose words.

#[path = "pcap/batch.rs"]
mod batch;
#[path = "pcap/command.rs"]
mod command;
#[path = "pcap/dialect.rs"]
mod dialect;
#[path = "pcap/flow_end.rs"]
mod flow_end;
#[path = "pcap/policy.rs"]
mod policy;
#[path = "pcap/scratch.rs"]
mod scratch;
#[path = "pcap/terminal.rs"]
mod terminal;
#[path = "pcap/tunnels.rs"]
mod tunnels;
