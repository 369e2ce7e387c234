//! The progress bar: at a terminal, for what takes a while, and gone without a
//! trace before anything else is said.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::FromRawFd as _,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use crate::{
    command::{graceful, text},
    scratch::{SECOND, START, Scratch, pcap},
};

const COLUMNS: u16 = 80;

/// Both ends of a pseudo-terminal of 80 columns: what a person sees, and what
/// the program writes to.
fn terminal() -> (File, File) {
    let size = libc::winsize {
        ws_row: 24,
        ws_col: COLUMNS,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let (mut person, mut program) = (-1, -1);
    // SAFETY: both descriptors are written to; name and attributes may be null,
    // and the size is only read.
    let result = unsafe {
        libc::openpty(
            &raw mut person,
            &raw mut program,
            std::ptr::null_mut(),
            std::ptr::null(),
            &raw const size,
        )
    };
    assert_eq!(
        result,
        0,
        "a pseudo-terminal: {}",
        io::Error::last_os_error()
    );
    // SAFETY: both are open, and nobody else's.
    unsafe { (File::from_raw_fd(person), File::from_raw_fd(program)) }
}

fn program(arguments: &[&str], path: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_termination"));
    command
        .arg("pcap")
        .args(arguments)
        .arg(path)
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null());
    command
}

/// What comes to a terminal that is the program's output and errors; `feed` may
/// write its input.
fn at_terminal(mut command: Command, feed: impl FnOnce(&mut Child) + Send) -> String {
    let (mut person, side) = terminal();
    let mut child = command
        .stdout(side.try_clone().unwrap())
        .stderr(side)
        .spawn()
        .unwrap();
    // It keeps the descriptors that it gave to the child.
    drop(command);
    let mut bytes = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            feed(&mut child);
            assert!(child.wait().unwrap().success());
        });
        // Once nobody writes any more, a terminal is an error (EIO). The first one may
        // overtake the last words: the kernel looks for them before it looks whether
        // the other end is closed (drivers/tty/n_tty.c n_tty_read).
        for _ in 0..2 {
            let error = person.read_to_end(&mut bytes).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EIO), "{error}");
        }
    });
    String::from_utf8(bytes).unwrap()
}

/// What is left to see of `output`: a terminal as far as a progress bar needs
/// one. Colours are left out.
fn screen(output: &str) -> Vec<String> {
    let mut lines = vec![Vec::new()];
    let (mut row, mut column) = (0_usize, 0_usize);
    let mut letters = output.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\r' => column = 0,
            '\n' => {
                row += 1;
                if row == lines.len() {
                    lines.push(Vec::new());
                }
            }
            '\x1b' => {
                assert_eq!(letters.next(), Some('['), "{output:?}");
                let mut number = String::new();
                let last = loop {
                    match letters.next().unwrap() {
                        digit @ ('0'..='9' | ';' | '?') => number.push(digit),
                        last => break last,
                    }
                };
                let count = number.parse().unwrap_or(1);
                match last {
                    'm' | 'h' | 'l' => {}
                    'K' if number == "2" => lines[row].clear(),
                    'K' => lines[row].truncate(column),
                    'A' => row = row.checked_sub(count).expect("above the output"),
                    'B' => row += count,
                    'C' => column += count,
                    'D' => column -= count,
                    'G' => column = count - 1,
                    'J' => {
                        lines.truncate(row + 1);
                        lines[row].truncate(column);
                    }
                    other => panic!("escape {number}{other}: {output:?}"),
                }
            }
            letter => {
                assert!(column < COLUMNS.into(), "too wide: {output:?}");
                let line: &mut Vec<char> = &mut lines[row];
                if line.len() <= column {
                    line.resize(column + 1, ' ');
                }
                line[column] = letter;
                column += 1;
            }
        }
    }
    let trimmed = lines
        .into_iter()
        .map(|line| line.into_iter().collect::<String>().trim_end().to_owned());
    trimmed.collect()
}

/// A connection, and then what takes a while to read: more than a bar is shown
/// for, in more packets than are read between two looks at the clock.
fn long() -> Vec<u8> {
    let mut frames = graceful(40_000, START);
    let filler = vec![0; 4_000];
    frames.extend((0..9_000).map(|number| (START + SECOND + number, filler.clone())));
    pcap(&frames)
}

#[test]
fn a_bar_is_drawn_at_a_terminal_and_leaves_the_table_clean() {
    let scratch = Scratch::new();
    let path = scratch.put("long.pcap", &long());
    let drawn = at_terminal(program(&[], &path), |_| {});
    let quiet = at_terminal(program(&["--quiet"], &path), |_| {});
    assert!(drawn.contains(" % "), "a bar: {drawn:?}");
    assert!(drawn.contains("left"), "{drawn:?}");
    assert!(!quiet.contains(" left "), "{quiet:?}");
    assert_ne!(drawn, quiet);
    let (drawn, quiet) = (screen(&drawn), screen(&quiet));
    assert_eq!(drawn, quiet, "what is left to see");
    assert!(
        quiet.iter().any(|line| line.contains("graceful")),
        "{quiet:#?}"
    );
    let widest = quiet.iter().map(|line| line.chars().count()).max();
    assert!(widest <= Some(COLUMNS.into()), "{quiet:#?}");
}

#[test]
fn a_long_name_does_not_make_it_two_lines() {
    let scratch = Scratch::new();
    let name = format!("{}.pcap", "x".repeat(100));
    let path = scratch.put(&name, &long());
    let drawn = at_terminal(program(&["--json"], &path), |_| {});
    assert!(drawn.contains(" % "), "a bar: {drawn:?}");
    let lines = drawn.split_once('{');
    let (bar, _) = lines.unwrap_or_else(|| panic!("no line: {drawn:?}"));
    assert_eq!(screen(bar), [""], "it fits, and is gone");
}

#[test]
fn lines_of_json_stay_whole_beside_a_bar() {
    let scratch = Scratch::new();
    let path = scratch.put("long.pcap", &long());
    let drawn = at_terminal(program(&["--json"], &path), |_| {});
    let lines = drawn.split_once('{');
    let (bar, line) = lines.unwrap_or_else(|| panic!("no line: {drawn:?}"));
    assert_eq!(screen(bar), [""], "the bar was gone before the line");
    let line = format!("{{{line}");
    let object: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(object["ending"], "graceful");
}

#[test]
fn a_counter_is_drawn_for_a_pipe() {
    let file = long();
    let mut command = program(&[], Path::new("-"));
    command.stdin(Stdio::piped());
    let drawn = at_terminal(command, |child| {
        child.stdin.take().unwrap().write_all(&file).unwrap();
    });
    assert!(drawn.contains("/s"), "a rate: {drawn:?}");
    let left = screen(&drawn);
    assert!(
        left.iter().any(|line| line.contains("graceful")),
        "{left:#?}"
    );
    assert!(!left.iter().any(|line| line.contains("/s")), "{left:#?}");
}

#[test]
fn nothing_is_drawn_for_a_short_file_nor_into_a_pipe() {
    let scratch = Scratch::new();
    let short = scratch.put("short.pcap", &pcap(&graceful(40_000, START)));
    let drawn = at_terminal(program(&[], &short), |_| {});
    assert!(!drawn.contains(" left "), "{drawn:?}");
    let long = scratch.put("long.pcap", &long());
    let output = program(&[], &long).output().unwrap();
    assert!(output.status.success());
    assert_eq!(text(&output.stderr), "");
    assert!(!text(&output.stdout).contains('\r'));
}
