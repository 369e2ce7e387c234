//! Interfaces that come and go, and one packet that passes several.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::AsRawFd as _,
};

use termination_lab::{
    Family, Namespace, PATIENCE, Pair, Service, Tuple,
    conversation::until_fin,
    endings::{self, Side},
    wait_for,
};
use termination_user::control::kernel::bpf;

use crate::{
    check::{Expected, check, check_gaps},
    observer::Observer,
    persistence::layout,
    policy::File,
};

const CLIENT_FIRST: Expected = ("graceful", "originator", None, Some("originator"));

/// Names of what is attached to.
fn attached(observer: &Observer) -> Vec<String> {
    let status = observer.status();
    let all = status["interfaces"].as_array().unwrap();
    all.iter()
        .map(|interface| interface["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Waits until these are attached to, in any order.
#[track_caller]
pub(crate) fn until_attached(observer: &Observer, expected: &[&str]) {
    let what = format!("hooks on {expected:?}");
    wait_for(&what, PATIENCE, || {
        let mut names = attached(observer);
        names.sort();
        (names == expected).then_some(())
    });
}

#[test]
fn a_pattern_picks_up_what_appears() {
    let pair = Pair::new().unwrap();
    let observer = Observer::on(&pair.server.namespace, "s*", &[]);
    let first = pair.server.interface.as_str();
    until_attached(&observer, &[first]);
    // Another one appears, one that is not meant, and the first goes and comes
    // back.
    pair.server
        .namespace
        .ip("link add szz type veth peer name other")
        .unwrap();
    until_attached(&observer, &[first, "szz"]);
    pair.unplug().unwrap();
    until_attached(&observer, &["szz"]);
    pair.plug().unwrap();
    until_attached(&observer, &[first, "szz"]);
    pair.server.namespace.ip("link delete szz").unwrap();
    until_attached(&observer, &[first]);
    let service = Service::open(&pair, Family::V4).unwrap();
    let tuple = endings::closed_first_by(Side::Client, &service).unwrap();
    check("after all that", &observer.ending(tuple), CLIENT_FIRST);
    observer.agrees_with_kernel(&pair);
}

#[test]
fn an_interface_that_comes_back_is_picked_up_by_name() {
    let pair = Pair::new().unwrap();
    let observer = Observer::at(&pair.server, &[]);
    let service = Service::open(&pair, Family::V4).unwrap();
    let mut lives = service.converse().unwrap();
    let segments = |observer: &Observer| {
        let all = observer.ask(&["connections", "--json"]);
        assert_eq!(all.len(), 1, "{all:#?}");
        all[0]["segments"]["originator"].as_u64().unwrap()
    };
    let before = segments(&observer);
    pair.unplug().unwrap();
    until_attached(&observer, &[]);
    pair.plug().unwrap();
    until_attached(&observer, &[pair.server.interface.as_str()]);
    // What lived goes on, on an interface of another index: once the home of
    // both directions has been silent for a second, it counts there.
    wait_for("its segments to count again", PATIENCE, || {
        lives.exchange().unwrap();
        (segments(&observer) > before + 4).then_some(())
    });
    let tuple = lives.tuple;
    drop(lives.client);
    let mut server = lives.server;
    until_fin(&mut server).unwrap();
    drop(server);
    check_gaps("what lived", &observer.ending(tuple), CLIENT_FIRST);
    let tuple = endings::closed_first_by(Side::Client, &service).unwrap();
    check("what is new", &observer.ending(tuple), CLIENT_FIRST);
}

/// Detaches a pinned link, as `bpftool link detach` does.
fn detach(pin: &std::path::Path) {
    const LINK_DETACH: libc::c_long = 34;
    let link = bpf::open(pin).unwrap();
    let mut attributes = [link.as_raw_fd().cast_unsigned()];
    // SAFETY: the attributes of BPF_LINK_DETACH: a descriptor and nothing else.
    let result = unsafe {
        let attributes = attributes.as_mut_ptr();
        libc::syscall(libc::SYS_bpf, LINK_DETACH, attributes, size_of::<u32>())
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn a_hook_that_somebody_takes_away_is_taken_again() {
    let pair = Pair::new().unwrap();
    let server = &pair.server;
    let mut observer = Observer::new(&server.namespace, &server.interface, &[], true);
    observer.start_loud();
    observer.until_ready();
    let service = Service::open(&pair, Family::V4).unwrap();
    let mut lives = service.converse().unwrap();
    let index = server.index().unwrap();
    let links = layout(&observer).join("links");
    let pin = links.join(format!("{index}_egress_tcx"));
    detach(&pin);
    wait_for("it to be taken again", PATIENCE, || {
        let link = bpf::open(&pin).ok()?;
        (bpf::index_of(link).ok()? == index).then_some(())
    });
    lives.exchange().unwrap();
    let tuple = lives.tuple;
    drop(lives.client);
    until_fin(&mut lives.server).unwrap();
    drop(lives.server);
    check_gaps("what lived", &observer.ending(tuple), CLIENT_FIRST);
    let said = observer.last_words(2);
    let words = format!("{}: somebody has taken a hook away", server.interface);
    assert!(said.contains(&words), "{said}");
}

#[test]
fn hooks_are_chosen_per_kind_and_by_hand() {
    let pair = Pair::new().unwrap();
    for (arguments, ingress, egress) in [
        (&["--hooks", "ingress"][..], Some("tcx"), None),
        (&["--hooks", "egress"][..], None, Some("tcx")),
        (&["--hooks", "both"][..], Some("tcx"), Some("tcx")),
        // It is a veth.
        (&[][..], Some("tcx"), Some("tcx")),
        (&["--mode", "native"][..], Some("native"), Some("tcx")),
    ] {
        let server = &pair.server;
        let observer = Observer::on(&server.namespace, &server.interface, arguments);
        let status = observer.status();
        let interface = &status["interfaces"][0];
        assert_eq!(interface["ingress"].as_str(), ingress, "{arguments:?}");
        assert_eq!(interface["egress"].as_str(), egress, "{arguments:?}");
    }
}

/// Client, middle, server; the middle has an interface to either.
struct Path {
    client: Namespace,
    middle: Namespace,
    server: Namespace,
}

impl Path {
    /// `in_the_middle`: what joins `m0` and `m1`; then the ends' commands.
    fn new(in_the_middle: &str, client: &str, server: &str) -> Self {
        let path = Self {
            client: Namespace::new("pc").unwrap(),
            middle: Namespace::new("pm").unwrap(),
            server: Namespace::new("ps").unwrap(),
        };
        let quiet = |name: &str| format!("link set {name} addrgenmode none\n");
        for (name, end) in [("m0", &path.client), ("m1", &path.server)] {
            let peer = end.name();
            path.middle
                .ip(&format!(
                    "link add {name} type veth peer name e0 netns {peer}"
                ))
                .unwrap();
            end.ip(&quiet("e0")).unwrap();
        }
        let up = "link set m0 up\nlink set m1 up\n";
        path.middle
            .ip(&format!(
                "{}{}{in_the_middle}{up}",
                quiet("m0"),
                quiet("m1")
            ))
            .unwrap();
        path.client.ip(client).unwrap();
        path.server.ip(server).unwrap();
        path
    }

    /// An open connection: the client's end and the server's.
    fn connect(&self, server: Ipv4Addr) -> (TcpStream, TcpStream, Tuple) {
        let responder = SocketAddr::from((server, 4000));
        let listener = self
            .server
            .enter(|| TcpListener::bind(responder))
            .unwrap()
            .unwrap();
        let client = self
            .client
            .enter(|| TcpStream::connect_timeout(&responder, PATIENCE))
            .unwrap()
            .unwrap();
        let (server, originator) = listener.accept().unwrap();
        let tuple = Tuple {
            originator,
            responder,
        };
        (client, server, tuple)
    }

    /// The same from the middle itself to the client's host.
    fn middle_to_client(&self) -> (TcpStream, TcpStream, Tuple) {
        let responder = SocketAddr::from(([10, 1, 0, 1], 4001));
        let listener = self.client.enter(|| TcpListener::bind(responder)).unwrap();
        let listener = listener.unwrap();
        let here = self
            .middle
            .enter(|| TcpStream::connect_timeout(&responder, PATIENCE))
            .unwrap()
            .unwrap();
        let (there, originator) = listener.accept().unwrap();
        let tuple = Tuple {
            originator,
            responder,
        };
        (here, there, tuple)
    }

    /// A question, an answer of 200,000 bytes, closed by the client.
    fn converse(&self, server: Ipv4Addr) -> Tuple {
        use std::io::{Read as _, Write as _};
        const ANSWER: usize = 200_000;
        let (mut client, mut server, tuple) = self.connect(server);
        client.write_all(b"question").unwrap();
        server.read_exact(&mut [0; 8]).unwrap();
        let writer = std::thread::spawn(move || {
            server.write_all(&vec![b'.'; ANSWER]).unwrap();
            server
        });
        client.read_exact(&mut vec![0; ANSWER]).unwrap();
        let mut server = writer.join().unwrap();
        drop(client);
        until_fin(&mut server).unwrap();
        tuple
    }
}

/// Seen by all four hooks of the middle, and counted once.
fn counted_once(path: &Path, server: Ipv4Addr, arguments: &[&str]) {
    let observer = Observer::on(&path.middle, "m*", arguments);
    until_attached(&observer, &["m0", "m1"]);
    let tuple = path.converse(server);
    let ending = observer.ending(tuple);
    check("through the middle", &ending, CLIENT_FIRST);
    assert_eq!(ending["bytes"]["originator"], 8, "{ending:#}");
    assert_eq!(ending["bytes"]["responder"], 200_000, "{ending:#}");
    for end in ["originator", "responder"] {
        assert_eq!(ending["retransmits"][end], 0, "{end}: {ending:#}");
    }
    let stats = observer.stats();
    assert_eq!(stats["opened"], 1, "{stats:#}");
    assert_eq!(stats["midstream"], 0, "{stats:#}");
    assert_eq!(stats["difference"], 0, "{stats:#}");
    let elsewhere = stats["events"]["seen_elsewhere"].as_u64().unwrap();
    let side = |end: &str| ending["segments"][end].as_u64().unwrap();
    let once = side("originator") + side("responder");
    // Each of its segments was seen a second time on its way out; in fewer
    // pieces where the host had joined them. What came after the ending (the
    // last ACK ends it) is in neither.
    assert!(elsewhere > 8 && elsewhere <= once, "{elsewhere} of {once}");
    let losses = stats["losses"].as_object().unwrap();
    assert!(losses.values().all(|count| *count == 0), "{stats:#}");
}

/// The middle forwards.
fn routed() -> Path {
    let path = Path::new(
        "address add 10.1.0.254/24 dev m0\naddress add 10.2.0.254/24 dev m1\n",
        "address add 10.1.0.1/24 dev e0\nlink set e0 up\nroute add default via 10.1.0.254\n",
        "address add 10.2.0.1/24 dev e0\nlink set e0 up\nroute add default via 10.2.0.254\n",
    );
    path.middle.set_sysctl("net.ipv4.ip_forward", 1).unwrap();
    path
}

#[test]
fn what_passes_another_hook_too_is_still_watched() {
    use std::io::{Read as _, Write as _};
    // m1 sees at first what leaves there, so that both directions are at home at m0.
    let rules = |include: &str, hooks: &str| {
        format!(
            "[interfaces]\ninclude = [{include}]\n\
             [[interfaces.for]]\nnames = ['m1']\nhooks = '{hooks}'\n"
        )
    };
    let path = routed();
    let file = File::new("elsewhere", &rules("'m0', 'm1'", "egress"));
    let observer = Observer::with(&path.middle, &["--policy", file.path()]);
    let server = Ipv4Addr::new(10, 2, 0, 1);
    let (mut client, mut server, tuple) = path.connect(server);
    let exchange = |client: &mut TcpStream, server: &mut TcpStream| {
        client.write_all(b"question").unwrap();
        server.read_exact(&mut [0; 8]).unwrap();
        server.write_all(b"answer").unwrap();
        client.read_exact(&mut [0; 6]).unwrap();
    };
    exchange(&mut client, &mut server);
    // The middle's own connection to the client passes m0 alone.
    let alone = path.middle_to_client();
    file.write(&rules("'m0', 'm1'", "both"));
    assert!(observer.run(&["reload"]).status.success());
    exchange(&mut client, &mut server);
    file.write(&rules("'m1'", "both"));
    assert!(observer.run(&["reload"]).status.success());
    // What passes m0 alone has ended, so what passes m1 too was looked at as well.
    let ending = observer.ending(alone.2);
    assert_eq!(ending["ending"], "shutdown", "{ending:#}");
    let stats = observer.stats();
    assert_eq!(stats["endings"]["shutdown"], 1, "{stats:#}");
    assert_eq!(stats["live"]["established"], 1, "{stats:#}");
    exchange(&mut client, &mut server);
    drop(client);
    until_fin(&mut server).unwrap();
    drop(server);
    check_gaps("through m1", &observer.ending(tuple), CLIENT_FIRST);
    assert_eq!(observer.stats()["opened"], 2);
}

#[test]
fn a_forwarding_host_counts_a_packet_once() {
    let path = routed();
    let server = Ipv4Addr::new(10, 2, 0, 1);
    counted_once(&path, server, &[]);
    counted_once(&path, server, &["--mode", "tcx"]);
}

#[test]
fn a_bridge_counts_a_packet_once() {
    let path = Path::new(
        "link add br0 type bridge\nlink set br0 addrgenmode none\nlink set br0 up\n\
         link set m0 master br0\nlink set m1 master br0\n",
        "address add 10.3.0.1/24 dev e0\nlink set e0 up\n",
        "address add 10.3.0.2/24 dev e0\nlink set e0 up\n",
    );
    counted_once(&path, Ipv4Addr::new(10, 3, 0, 2), &[]);
}
