//! A reload attaches and detaches, and what stays notices nothing.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    time::Instant,
};

use serde_json::{Value, json};
use termination_lab::{
    Family, Namespace, PATIENCE, Pair, Service, Tuple,
    conversation::until_fin,
    endings::{self, Side},
    wait_for,
};

use crate::{
    check::{Expected, check, check_gaps},
    observer::Observer,
    persistence::layout,
    persistence::seconds,
    policy::File,
};

const SIGTERM: i32 = 15;
const CLIENT_FIRST: Expected = ("graceful", "originator", None, Some("originator"));

/// A connection through the loopback of a namespace.
struct Local {
    client: TcpStream,
    server: TcpStream,
    tuple: Tuple,
}

impl Local {
    fn open(namespace: &Namespace) -> Self {
        let (client, server) = namespace
            .enter(|| {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
                (client, listener.accept().unwrap().0)
            })
            .unwrap();
        let tuple = Tuple {
            originator: client.local_addr().unwrap(),
            responder: client.peer_addr().unwrap(),
        };
        let mut local = Self {
            client,
            server,
            tuple,
        };
        local.exchange();
        local
    }

    fn exchange(&mut self) {
        self.client.write_all(b"question").unwrap();
        self.server.read_exact(&mut [0; 8]).unwrap();
        self.server.write_all(b"answer").unwrap();
        self.client.read_exact(&mut [0; 6]).unwrap();
    }

    /// The client closes, then the server.
    fn close(mut self) -> Tuple {
        drop(self.client);
        until_fin(&mut self.server).unwrap();
        self.tuple
    }
}

/// Name, ingress, egress of all that is attached to.
fn attached(observer: &Observer) -> Vec<[Value; 3]> {
    let status = observer.status();
    let all = status["interfaces"].as_array().unwrap();
    let mut all: Vec<_> = all
        .iter()
        .map(|one| ["name", "ingress", "egress"].map(|key| one[key].clone()))
        .collect();
    all.sort_by_key(|one| one[0].to_string());
    all
}

/// Reloads; what is said of it.
#[track_caller]
fn reload(observer: &Observer, good: bool) -> String {
    let output = observer.run(&["reload"]);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert_eq!(output.status.success(), good, "{said}");
    said
}

/// Interfaces come and go by policy, with and without pins.
fn come_and_go(persist: bool) {
    let pair = Pair::new().unwrap();
    let cable = pair.server.interface.as_str();
    let file = File::new(
        &format!("interfaces-{persist}"),
        &format!("[interfaces]\ninclude = ['{cable}']\n"),
    );
    let namespace = &pair.server.namespace;
    let policy = ["--policy", file.path()];
    let mut observer = Observer::idle(namespace, &policy, persist);
    observer.start();
    observer.until_ready();
    let on_cable = [json!(cable), json!("tcx"), json!("tcx")];
    let on_lo = [json!("lo"), json!("tcx"), Value::Null];
    assert_eq!(attached(&observer), std::slice::from_ref(&on_cable));
    let service = Service::open(&pair, Family::V4).unwrap();
    let opened = Instant::now();
    let mut first = service.converse().unwrap();

    file.write(&format!("[interfaces]\ninclude = ['{cable}', 'lo']\n"));
    let said = reload(&observer, true);
    assert!(said.contains("lo: ingress tcx"), "{said}");
    assert!(!said.contains(cable), "it was not touched: {said}");
    let mut both = [on_lo.clone(), on_cable.clone()];
    both.sort_by_key(|one| one[0].to_string());
    assert_eq!(attached(&observer), both);
    first.exchange().unwrap();
    let mut local = Local::open(namespace);

    // It goes, and what was seen there alone.
    file.write("[interfaces]\ninclude = ['lo']\n");
    let said = reload(&observer, true);
    let watched = opened.elapsed().as_secs_f64();
    assert!(said.contains(&format!("{cable}: detached")), "{said}");
    assert_eq!(attached(&observer), std::slice::from_ref(&on_lo));
    let ending = observer.ending(first.tuple);
    assert_eq!(ending["ending"], "shutdown", "{ending:#}");
    // As of when it was last watched, not of when that was clear.
    assert_eq!(ending["seen"]["gaps"], false, "{ending:#}");
    let lasted = seconds(&ending["ended_at"]) - seconds(&ending["started_at"]);
    assert!(lasted <= watched, "{lasted} of {watched} s: {ending:#}");
    local.exchange();
    if persist {
        let links = layout(&observer).join("links");
        let links: Vec<_> = fs::read_dir(links).unwrap().map(Result::unwrap).collect();
        assert_eq!(links.len(), 1, "{links:?}");
        observer.kill();
        local.exchange();
        observer.start();
        observer.until_ready();
        assert_eq!(attached(&observer), [on_lo]);
    }

    // And comes back.
    file.write(&format!("[interfaces]\ninclude = ['any']\n# {cable}\n"));
    reload(&observer, true);
    assert_eq!(attached(&observer), both);
    let tuple = endings::closed_first_by(Side::Client, &service).unwrap();
    check("attached again", &observer.ending(tuple), CLIENT_FIRST);
    let tuple = local.close();
    check("never lost", &observer.ending(tuple), CLIENT_FIRST);
    let stats = observer.stats();
    assert_eq!(stats["opened"], 3, "{stats:#}");
    assert_eq!(stats["midstream"], 0, "{stats:#}");
    assert_eq!(stats["difference"], 0, "{stats:#}");
}

#[test]
fn interfaces_come_and_go() {
    come_and_go(false);
}

#[test]
fn pinned_interfaces_come_and_go() {
    come_and_go(true);
}

#[test]
fn hooks_change_one_by_one() {
    let pair = Pair::new().unwrap();
    let cable = pair.server.interface.as_str();
    let text = |hooks: &str, rule: &str| {
        format!("[interfaces]\ninclude = ['any']\nexclude = ['lo']\nhooks = '{hooks}'\n{rule}")
    };
    let file = File::new("hooks", &text("both", ""));
    let observer = Observer::with(&pair.server.namespace, &["--policy", file.path()]);
    let service = Service::open(&pair, Family::V4).unwrap();
    let mut lives = service.converse().unwrap();
    let hooks = |ingress: Value, egress: Value| {
        assert_eq!(attached(&observer), [[json!(cable), ingress, egress]]);
    };
    hooks(json!("tcx"), json!("tcx"));

    file.write(&text("ingress", ""));
    reload(&observer, true);
    hooks(json!("tcx"), Value::Null);
    // A rule for it comes before what holds for all.
    let rule = format!("[[interfaces.for]]\nnames = ['nobody', '{cable}']\nhooks = 'both'\n");
    file.write(&text("ingress", &rule));
    reload(&observer, true);
    hooks(json!("tcx"), json!("tcx"));
    lives.exchange().unwrap();
    file.write(&text("egress", ""));
    reload(&observer, true);
    hooks(Value::Null, json!("tcx"));
    file.write(&text("auto", ""));
    reload(&observer, true);
    hooks(json!("tcx"), json!("tcx"));

    // It was silent while one direction was not seen.
    let tuple = lives.tuple;
    drop(lives.client);
    until_fin(&mut lives.server).unwrap();
    drop(lives.server);
    check_gaps("through it all", &observer.ending(tuple), CLIENT_FIRST);
    let tuple = endings::closed_first_by(Side::Client, &service).unwrap();
    check("after it all", &observer.ending(tuple), CLIENT_FIRST);
    let stats = observer.stats();
    assert_eq!(stats["opened"], 2, "{stats:#}");
    assert_eq!(stats["endings"]["shutdown"], 0, "{stats:#}");
}

#[test]
fn hooks_that_are_let_go_and_taken_again_leave_a_mark() {
    let pair = Pair::new().unwrap();
    let cable = pair.server.interface.as_str();
    let with = format!("[interfaces]\ninclude = ['{cable}', 'lo']\n");
    let without = "[interfaces]\ninclude = ['lo']\n";
    let file = File::new("again", &with);
    let observer = Observer::with(&pair.server.namespace, &["--policy", file.path()]);
    let service = Service::open(&pair, Family::V4).unwrap();
    let lives = service.converse().unwrap();
    let local = Local::open(&pair.server.namespace);
    file.write(without);
    reload(&observer, true);
    file.write(&with);
    reload(&observer, true);
    // At once: the hook has the same place, and its segments count again.
    let mut lives = lives;
    lives.exchange().unwrap();
    let tuple = lives.tuple;
    drop(lives.client);
    until_fin(&mut lives.server).unwrap();
    drop(lives.server);
    let ending = observer.ending(tuple);
    check_gaps("away for a moment", &ending, CLIENT_FIRST);
    check("elsewhere", &observer.ending(local.close()), CLIENT_FIRST);
    let stats = observer.stats();
    assert_eq!(stats["opened"], 2, "{stats:#}");
    assert_eq!(stats["endings"]["shutdown"], 0, "{stats:#}");
}

#[test]
fn guards_say_where_they_judge_nothing_whenever_that_changes() {
    let pair = Pair::new().unwrap();
    let cable = pair.server.interface.as_str();
    let text = |hooks: &str, blind: &str| {
        format!(
            "[interfaces]\ninclude = ['{cable}', 'other', 'lo']\nhooks = '{hooks}'\n\
             [guards]\nblind = '{blind}'\n[[interfaces.for]]\nnames = ['lo']\nhooks = 'ingress'\n"
        )
    };
    let new = "link add other type veth peer name yy\n";
    pair.server.namespace.ip(new).unwrap();
    let file = File::new("one-sided", &text("both", "off"));
    let namespace = &pair.server.namespace;
    let mut observer = Observer::idle(namespace, &["--policy", file.path()], false);
    observer.start_loud();
    observer.until_ready();
    let one_sided = format!("guards judge nothing on {cable}: it is observed in one direction");
    let loopback = "guards judge nothing on lo: both directions come in there";
    for (hooks, blind, words, is_said) in [
        ("ingress", "off", "guards", false),
        ("ingress", "dry_run", one_sided.as_str(), true),
        ("both", "dry_run", one_sided.as_str(), false),
        ("both", "on", "guards: blind on", true),
        ("both", "on", "guards", false),
        ("egress", "on", one_sided.as_str(), true),
        ("both", "off", "guards: off", true),
        ("both", "off", "guards", false),
        ("both", "on", loopback, true),
    ] {
        file.write(&text(hooks, blind));
        let said = reload(&observer, true);
        assert_eq!(said.contains(words), is_said, "{hooks} {blind}: {said}");
    }
    // And of an interface that comes later.
    file.write(&text("ingress", "on"));
    reload(&observer, true);
    pair.server.namespace.ip("link delete other\n").unwrap();
    let gone = || (attached(&observer).len() == 2).then_some(());
    wait_for("it to go", PATIENCE, gone);
    pair.server.namespace.ip(new).unwrap();
    let back = || (attached(&observer).len() == 3).then_some(());
    wait_for("it to come", PATIENCE, back);
    let said = observer.last_words(2);
    let later = "\ntermination: guards judge nothing on other: it is observed in one direction";
    assert!(said.contains(later), "{said}");
}

#[test]
fn an_interface_that_refuses_leaves_all_as_it_was() {
    let pair = Pair::new().unwrap();
    let cable = pair.server.interface.as_str();
    let file = File::new("refuse", &format!("[interfaces]\ninclude = ['{cable}']\n"));
    let arguments = ["--policy", file.path(), "--mode", "native"];
    let observer = Observer::with(&pair.server.namespace, &arguments);
    let before = attached(&observer);
    let service = Service::open(&pair, Family::V4).unwrap();
    let lives = service.converse().unwrap();
    // Shorter than the test takes: it must not hold.
    let timers = "[timers]\nestablished_idle = 0.1\n";
    let new = "link add xx type veth peer name yy\n";
    pair.server.namespace.ip(new).unwrap();
    for (include, why) in [
        ("'xx', 'nosuch'", "no interface is called nosuch"),
        // The loopback has no native XDP.
        ("'xx', 'lo'", "cannot attach to the ingress of lo (native: "),
    ] {
        file.write(&format!("{timers}[interfaces]\ninclude = [{include}]\n"));
        let said = reload(&observer, false);
        for part in ["the old policy stays", why] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert_eq!(attached(&observer), before);
    }
    // By a pattern it is left out, and the rest takes effect.
    file.write("[interfaces]\ninclude = ['x*', 'l?', 's*']\n");
    let said = reload(&observer, true);
    assert!(
        said.contains("left out: cannot attach to the ingress of lo"),
        "{said}"
    );
    let names: Vec<_> = attached(&observer)
        .iter()
        .map(|one| one[0].clone())
        .collect();
    assert_eq!(names, [json!(cable), json!("xx")]);
    let tuple = lives.tuple;
    endings::abort(lives.client).unwrap();
    let ending = observer.ending(tuple);
    assert_eq!(ending["ending"], "reset", "the old timers held: {ending:#}");
    assert_eq!(observer.stats()["opened"], 1);
}

#[test]
fn which_policy_is_in_force_is_said() {
    let pair = Pair::new().unwrap();
    let file = File::new("said", "[timers]\nmsl = 20\n");
    let mut observer = Observer::new(&pair.server.namespace, &pair.server.interface, &[], true);
    let mut words = |arguments: &[&str]| {
        observer.start_loud_with(arguments);
        observer.until_ready();
        observer.last_words(SIGTERM)
    };
    let said = words(&["--policy", file.path()]);
    assert!(
        said.contains(&format!("policy {}\n", file.path())),
        "{said}"
    );
    let said = words(&["--policy", file.path()]);
    assert!(!said.contains("the place of"), "{said}");
    let said = words(&[]);
    let warning = format!("the defaults take the place of the policy {}", file.path());
    assert!(said.contains(&warning), "{said}");
    assert!(
        said.contains(&format!("--policy {}\n", file.path())),
        "{said}"
    );
    // Then that is how it is.
    let said = words(&[]);
    assert!(said.contains("policy: the defaults\n"), "{said}");
    let other = File::new("said-too", "");
    words(&["--policy", file.path()]);
    let said = words(&["--policy", other.path()]);
    let warning = format!("it takes the place of {}", file.path());
    assert!(said.contains(&warning), "{said}");
}
