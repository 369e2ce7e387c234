//! Who holds TIME_WAIT, and how many ports are left to whom.

use std::net::{SocketAddr, TcpStream};

use serde_json::Value;
use termination_lab::{
    Family, PATIENCE, Pair, Service,
    conversation::until_fin,
    endings::{self, Side},
    wait_for,
};

use crate::observer::Observer;

/// The sums, and the groups.
fn ask(observer: &Observer, arguments: &[&str]) -> (Value, Vec<Value>) {
    let question = [&["time-wait", "--json"], arguments].concat();
    let mut answer = observer.ask(&question);
    let waits = answer.remove(0);
    assert_eq!(waits["type"], "time_waits", "{waits:#}");
    (waits, answer)
}

/// A connection from a port that the kernel chooses, closed by its originator.
fn close_one(service: &Service<'_>) -> std::io::Result<SocketAddr> {
    let namespace = &service.pair.client.namespace;
    let client = namespace
        .enter(|| TcpStream::connect(service.address))
        .unwrap()?;
    let (mut server, originator) = service.listener.accept()?;
    drop(client);
    until_fin(&mut server).unwrap();
    Ok(originator)
}

#[test]
fn the_ports_that_are_left_are_the_kernels() {
    const RANGE: u64 = 100;
    let pair = Pair::new().unwrap();
    let client = &pair.client.namespace;
    client
        .set_sysctl("net/ipv4/ip_local_port_range", "40000 40099")
        .unwrap();
    client
        .set_sysctl("net/ipv4/ip_local_reserved_ports", "40010-40019,50000")
        .unwrap();
    let observer = Observer::at(&pair.client, &[]);
    let usable = RANGE - 10;
    for family in [Family::V4, Family::V6] {
        let service = Service::open(&pair, family).unwrap();
        // What the server holds takes none of the client's ports.
        endings::closed_first_by(Side::Server, &service).unwrap();
        // One that lives does, for as long as it does.
        let address = service.address;
        let lives = client
            .enter(|| TcpStream::connect(address))
            .unwrap()
            .unwrap();
        let held = service.listener.accept().unwrap();
        let some = 40;
        for _ in 0..some {
            close_one(&service).unwrap();
        }
        let find = |holder: &str| {
            let (waits, groups) = ask(&observer, &[]);
            assert_eq!(waits["ephemeral"]["first"], 40_000, "{waits:#}");
            assert_eq!(waits["ephemeral"]["reserved"], 10, "{waits:#}");
            let mut groups = groups.into_iter().filter(|group| {
                group["holder"] == holder && group["responder"]["port"] == address.port()
            });
            groups
                .next()
                .unwrap_or_else(|| panic!("{holder}: {waits:#}"))
        };
        let all = |count: u64| {
            wait_for("all to be in TIME_WAIT", PATIENCE, || {
                Some(find("originator")).filter(|group| group["count"] == count)
            })
        };
        let group = all(some);
        let ports = &group["ports"];
        assert_eq!(ports["usable"], usable, "{group:#}");
        assert_eq!(ports["used"], some + 1, "{group:#}");
        assert_eq!(ports["left"], usable - some - 1, "{group:#}");
        // All of them within the window, of at least a second.
        assert!(group["rate"].as_f64() > Some(0.0), "{group:#}");
        assert!(ports["runs_out_seconds"].as_f64() > Some(0.0), "{group:#}");
        assert!(group["last_seconds"].as_f64() <= Some(60.1), "{group:#}");
        let other = find("responder");
        assert_eq!(
            (&other["count"], &other["ports"]),
            (&1.into(), &Value::Null)
        );

        // As many as are said to be left can be had, and not one more.
        let left = ports["left"].as_u64().unwrap();
        for _ in 0..left {
            close_one(&service).unwrap();
        }
        let error = client
            .enter(|| TcpStream::connect(address))
            .unwrap()
            .unwrap_err();
        assert_eq!(
            error.kind(),
            std::io::ErrorKind::AddrNotAvailable,
            "{error}"
        );
        let group = all(some + left);
        assert_eq!(group["ports"]["left"], 0, "{group:#}");
        assert_eq!(group["ports"]["runs_out_seconds"], 0.0, "{group:#}");
        let page = observer.run(&["time-wait"]);
        let page = String::from_utf8_lossy(&page.stdout).into_owned();
        assert!(
            page.contains("0 of 90 ports left: connect(2) fails now"),
            "{page}"
        );
        drop((lives, held));
    }
}

#[test]
fn other_hosts_ports_are_not_known() {
    let pair = Pair::new().unwrap();
    let observer = Observer::at(&pair.server, &[]);
    let service = Service::open(&pair, Family::V4).unwrap();
    let tuple = endings::closed_first_by(Side::Client, &service).unwrap();
    observer.endings(tuple, 1);
    let (waits, groups) = ask(&observer, &["--window", "30"]);
    assert_eq!(waits["held"]["originator"], 1, "{waits:#}");
    assert!(
        waits["window_seconds"].as_f64() < Some(30.0),
        "observed since: {waits:#}"
    );
    assert_eq!(groups.len(), 1);
    assert_eq!(
        groups[0]["originator"]["ip"],
        tuple.originator.ip().to_string()
    );
    assert_eq!(groups[0]["ports"], Value::Null, "{groups:#?}");
    assert_eq!(ask(&observer, &["--limit", "0"]).1.len(), 0);
}
