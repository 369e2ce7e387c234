//! What a socket's owner ends: unread data (4), SO_LINGER 0 (5, 5b),
//! AF_UNSPEC (10), `ss -K` (11).

use std::{io::Write as _, net::TcpStream};

use termination_lab::{
    Tuple,
    crafted::Peer,
    endings::abort,
    kernel,
    options::disconnect,
    packet::flag::{ACK, FIN, RST},
};

use crate::bench::{
    Bench, Row,
    Shape::{Ac, Pa},
    payload,
};

/// Kept open by whoever asks for it: destroyed is not closed.
fn destroy(bench: &Bench<'_>, peer: &Peer<'_>) {
    let namespace = &bench.stage.pair.server.namespace;
    kernel::destroy(namespace, peer.remote, peer.local).unwrap();
}

/// A connection in some state, its socket ended in some way.
fn end(
    bench: &Bench<'_>,
    (mut peer, socket): (Peer<'_>, TcpStream),
    how: impl FnOnce(&mut Peer<'_>, TcpStream),
) -> Tuple {
    how(&mut peer, socket);
    bench.stage.settle().unwrap();
    peer.tuple()
}

const RESET: &[&str] = &["reset responder transfer exact active_abort -"];
const AFTER_PEER: &[&str] = &["reset_after_peer_fin responder half_closed exact active_abort -"];
const AFTER_OWN: &[&str] = &["reset_after_own_fin responder half_closed exact active_abort -"];
/// The FIN was not acked yet.
const AFTER_TRAIN: &[&str] = &["reset_after_own_fin responder half_closed train active_abort -"];

const fn row(
    number: &'static str,
    what: &'static str,
    endings: &'static [&'static str],
    play: fn(&Bench<'_>) -> Tuple,
) -> Row {
    Row {
        number,
        what,
        play,
        wire: &[Ac],
        endings,
        rejected: &[],
    }
}

pub(crate) const ROWS: &[Row] = &[
    row("4", "close with unread data", RESET, |b| {
        end(b, b.talk(), |peer, socket| b.unread(peer, &socket))
    }),
    row("4", "close with data partly read", RESET, |b| {
        end(b, b.talk(), |peer, mut socket| {
            b.unread(peer, &socket);
            std::io::Read::read_exact(&mut socket, &mut [0; 3]).unwrap();
        })
    }),
    row(
        "4",
        "close with unread data, peer's FIN behind it",
        AFTER_PEER,
        |b| {
            end(b, b.talk(), |peer, socket| {
                b.unread(peer, &socket);
                peer.say(FIN | ACK).unwrap();
                b.stage.settle().unwrap();
                drop(socket);
            })
        },
    ),
    row(
        "4",
        "close with unread data in FIN_WAIT_1",
        AFTER_TRAIN,
        |b| end(b, b.closing(), |peer, socket| b.unread(peer, &socket)),
    ),
    row(
        "4",
        "close with unread data in FIN_WAIT_2",
        AFTER_OWN,
        |b| end(b, b.half_closed(), |peer, socket| b.unread(peer, &socket)),
    ),
    row("5", "SO_LINGER 0", RESET, |b| {
        end(b, b.talk(), |_, socket| abort(socket).unwrap())
    }),
    row("5", "SO_LINGER 0 in CLOSE_WAIT", AFTER_PEER, |b| {
        end(b, b.left(), |_, socket| abort(socket).unwrap())
    }),
    row("5", "SO_LINGER 0 in FIN_WAIT_1", AFTER_TRAIN, |b| {
        end(b, b.closing(), |_, socket| abort(socket).unwrap())
    }),
    row("5", "SO_LINGER 0 in FIN_WAIT_2", AFTER_OWN, |b| {
        end(b, b.half_closed(), |_, socket| abort(socket).unwrap())
    }),
    row(
        "5",
        "SO_LINGER 0 with data not acked",
        &["reset responder transfer train active_abort -"],
        |b| {
            end(b, b.talk(), |_, mut socket| {
                socket.write_all(b"not acked").unwrap();
                abort(socket).unwrap();
            })
        },
    ),
    row("5", "SO_LINGER 0 with data not sent", RESET, |b| {
        end(b, b.talk(), |peer, mut socket| {
            peer.window = 0;
            peer.say(ACK).unwrap();
            b.stage.settle().unwrap();
            socket.write_all(b"not sent").unwrap();
            abort(socket).unwrap();
        })
    }),
    Row {
        number: "5b",
        what: "SO_LINGER 0 while the last data is lost: the challenge ACK draws a second RST",
        play: |b| {
            end(b, b.talk(), |peer, mut socket| {
                socket.write_all(b"lost").unwrap();
                abort(socket).unwrap();
                peer.hear("a RST", |packet| packet.is(RST)).unwrap();
                peer.say(ACK).unwrap();
            })
        },
        wire: &[Ac, Pa],
        endings: &["reset responder transfer train active_abort -"],
        rejected: &[],
    },
    Row {
        number: "5",
        what: "SO_LINGER 0 in LAST_ACK: no RST, and the next segment gets one",
        play: |b| {
            end(b, b.leaving(), |peer, socket| {
                abort(socket).unwrap();
                b.stage.settle().unwrap();
                assert!(peer.is_spared().unwrap(), "in LAST_ACK nothing is sent");
                peer.send(ACK, peer.next, peer.acked, payload(b"")).unwrap();
            })
        },
        wire: &[Pa],
        endings: &["reset_after_own_fin responder closing fin_minus_one no_connection -"],
        rejected: &[],
    },
    row("10", "AF_UNSPEC", RESET, |b| {
        end(b, b.talk(), |_, socket| disconnect(&socket).unwrap())
    }),
    row("10", "AF_UNSPEC with unread data", RESET, |b| {
        end(b, b.talk(), |peer, socket| {
            b.unread(peer, &socket);
            disconnect(&socket).unwrap();
        })
    }),
    row("10", "AF_UNSPEC in CLOSE_WAIT", AFTER_PEER, |b| {
        end(b, b.left(), |_, socket| disconnect(&socket).unwrap())
    }),
    row("10", "AF_UNSPEC in FIN_WAIT_1", AFTER_TRAIN, |b| {
        end(b, b.closing(), |_, socket| disconnect(&socket).unwrap())
    }),
    row("10", "AF_UNSPEC in FIN_WAIT_2", AFTER_OWN, |b| {
        end(b, b.half_closed(), |_, socket| disconnect(&socket).unwrap())
    }),
    row("11", "destroyed", RESET, |b| {
        end(b, b.talk(), |peer, _socket| destroy(b, peer))
    }),
    row("11", "destroyed with unread data", RESET, |b| {
        end(b, b.talk(), |peer, socket| {
            b.unread(peer, &socket);
            destroy(b, peer);
        })
    }),
    row("11", "destroyed in CLOSE_WAIT", AFTER_PEER, |b| {
        end(b, b.left(), |peer, _socket| destroy(b, peer))
    }),
    row("11", "destroyed in FIN_WAIT_1", AFTER_TRAIN, |b| {
        end(b, b.closing(), |peer, _socket| destroy(b, peer))
    }),
    row("11", "destroyed in FIN_WAIT_2", AFTER_OWN, |b| {
        end(b, b.half_closed(), |peer, _socket| destroy(b, peer))
    }),
];
