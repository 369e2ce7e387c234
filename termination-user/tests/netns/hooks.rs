//! Wherever it is attached, it sees the same.

use std::{
    io::Read as _,
    net::{TcpListener, TcpStream},
};

use termination_lab::{
    Error, Family, Namespace, Pair, Service, Tuple,
    endings::{self, Side},
};

use crate::{
    check::{Expected, check},
    observer::Observer,
};

const CLIENT_FIRST: Expected = ("graceful", "originator", None, Some("originator"));
const SERVER_FIRST: Expected = ("graceful", "responder", None, Some("responder"));
const RESET: Expected = ("reset", "originator", Some("active_abort"), None);

/// Both IP versions, some endings, the comparison with the kernel.
fn play(arguments: &[&str]) {
    let pair = Pair::new().unwrap();
    let observer = Observer::at(&pair.server, arguments);
    for family in [Family::V4, Family::V6] {
        let service = Service::open(&pair, family).unwrap();
        let tuple = endings::closed_first_by(Side::Client, &service).unwrap();
        check("client first", &observer.ending(tuple), CLIENT_FIRST);
        let tuple = endings::closed_first_by(Side::Server, &service).unwrap();
        check("server first", &observer.ending(tuple), SERVER_FIRST);
        let tuple = endings::aborted_by(Side::Client, &service).unwrap();
        check("abort", &observer.ending(tuple), RESET);
    }
    observer.agrees_with_kernel(&pair);
}

#[test]
fn native_xdp() {
    play(&["--mode", "native"]);
}

#[test]
fn generic_xdp() {
    play(&["--mode", "generic"]);
}

#[test]
fn tcx_both_ways() {
    play(&["--mode", "tcx"]);
}

#[test]
fn clsact_as_on_older_kernels() {
    play(&["--mode", "tcx", "--clsact"]);
}

#[test]
fn a_vlan_is_seen_on_the_interface_below() {
    let pair = Pair::new().unwrap();
    let observer = Observer::at(&pair.server, &[]);
    for (number, family) in [(5, Family::V4), (6, Family::V6)] {
        let [(client, _), (server, _)] = match pair.vlan(number, family) {
            Err(Error::Ip { output, .. }) if output.contains("Unknown device type") => {
                eprintln!("skipped: this kernel has no VLAN interfaces (CONFIG_VLAN_8021Q)");
                return;
            }
            ends => ends.unwrap(),
        };
        let service = Service::open_between(&pair, client, server, 8).unwrap();
        let tuple = endings::closed_first_by(Side::Client, &service).unwrap();
        check("in a VLAN", &observer.ending(tuple), CLIENT_FIRST);
    }
    observer.agrees_with_kernel(&pair);
}

#[test]
fn a_tunnel_is_looked_into_if_asked() {
    for mode in ["native", "tcx"] {
        let pair = Pair::new().unwrap();
        let observer = Observer::at(&pair.server, &["--mode", mode, "--tunnels"]);
        for (number, family) in [(7, Family::V4), (8, Family::V6)] {
            let [(client, _), (server, _)] = match pair.vxlan(number, family) {
                Err(Error::Ip { output, .. }) if output.contains("Unknown device type") => {
                    eprintln!("skipped: this kernel has no VXLAN interfaces (CONFIG_VXLAN)");
                    return;
                }
                ends => ends.unwrap(),
            };
            let service = Service::open_between(&pair, client, server, 8).unwrap();
            let tuple = endings::closed_first_by(Side::Client, &service).unwrap();
            check("in a tunnel", &observer.ending(tuple), CLIENT_FIRST);
            let tuple = endings::aborted_by(Side::Client, &service).unwrap();
            check("in a tunnel", &observer.ending(tuple), RESET);
        }
        observer.agrees_with_kernel(&pair);
    }
}

#[test]
fn the_loopback_counts_each_segment_once() {
    let namespace = Namespace::new("lo").unwrap();
    let observer = Observer::on(&namespace, "lo", &[]);
    let tuple = namespace
        .enter(|| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let responder = listener.local_addr().unwrap();
            let client = TcpStream::connect(responder).unwrap();
            let (mut server, originator) = listener.accept().unwrap();
            drop(client);
            server.read_to_end(&mut Vec::new()).unwrap();
            Tuple {
                originator,
                responder,
            }
        })
        .unwrap();
    let ending = observer.ending(tuple);
    check("loopback", &ending, CLIENT_FIRST);
    assert_eq!(ending["retransmits"]["originator"], 0, "{ending:#}");
}
