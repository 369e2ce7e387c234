//! What a reboot takes and what it leaves, as far as that can be played.

use std::{fs, path::PathBuf, process::Command};

use termination_lab::{
    Family, Pair, Service,
    endings::{self, Side},
};

use crate::{
    check::{Expected, check},
    observer::Observer,
};

const CLIENT_FIRST: Expected = ("graceful", "originator", None, Some("originator"));

/// A bpffs of its own, unmounted with this value.
struct Mounted(PathBuf);

impl Mounted {
    fn new(directory: PathBuf) -> Self {
        fs::create_dir(&directory).unwrap();
        let mounted = Self(directory);
        mounted.mount();
        mounted
    }

    fn mount(&self) {
        let mut mount = Command::new("mount");
        let mount = mount.args(["-t", "bpf", "bpf"]).arg(&self.0).status();
        assert!(mount.unwrap().success());
    }

    fn unmount(&self) -> bool {
        let mut unmount = Command::new("umount");
        unmount.arg(&self.0).status().unwrap().success()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = self.unmount();
        let _ = fs::remove_dir(&self.0);
        assert!(unmounted || std::thread::panicking());
    }
}

#[test]
fn a_reboot_begins_anew_whatever_is_left_on_disk() {
    let pair = Pair::new().unwrap();
    let server = &pair.server;
    let mut observer = Observer::new(&server.namespace, &server.interface, &[], false);
    let bpf = Mounted::new(observer.file("bpf"));
    let pins = bpf.0.join("termination");
    let persist = ["--persist", "--pin-dir", pins.to_str().unwrap()];
    let service = Service::open(&pair, Family::V4).unwrap();
    observer.start_with(&persist);
    observer.until_ready();
    let lives = service.converse().unwrap();
    observer.kill();
    // All that a reboot takes: the pins, and with them tables and hooks. What is
    // in the directory stays: the socket, and the file with a process id, which
    // may by then be somebody else's.
    assert!(bpf.unmount());
    let state = &observer.directory;
    assert!(state.join("control.sock").exists());
    let files: Vec<_> = fs::read_dir(state).unwrap().map(Result::unwrap).collect();
    let mut pid = files
        .iter()
        .filter(|file| file.file_name() != "control.sock");
    let pid = pid
        .find(|file| file.file_type().unwrap().is_file())
        .unwrap();
    fs::write(pid.path(), "1\n").unwrap();

    let stopped = observer.run(&["stats"]);
    let said = String::from_utf8(stopped.stderr).unwrap();
    assert_eq!(stopped.status.code(), Some(1), "{said}");
    assert!(said.contains("is not running"), "{said}");
    let mut detach = observer.question(&["detach"]);
    let output = detach.args(&persist[1..]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("is not running"), "{said}");
    // Not mounted yet: said, and nothing is made on the disk.
    let said = observer.refused(&persist);
    assert!(
        said.contains("is not in a bpffs") && said.contains("mount -t bpf"),
        "{said}"
    );
    assert_eq!(fs::read_dir(&bpf.0).unwrap().count(), 0);

    bpf.mount();
    observer.start_loud_with(&persist);
    observer.until_ready();
    assert_eq!(observer.stats()["opened"], 0);
    let tuple = endings::closed_first_by(Side::Client, &service).unwrap();
    check("after the reboot", &observer.ending(tuple), CLIENT_FIRST);
    // What lived through it is met midstream.
    let tuple = lives.tuple;
    endings::abort(lives.client).unwrap();
    let ending = observer.ending(tuple);
    assert_eq!(ending["seen"]["midstream"], true, "{ending:#}");
    let said = observer.last_words(2);
    assert!(!said.contains("going on with"), "{said}");
    assert!(!pins.exists());
}
