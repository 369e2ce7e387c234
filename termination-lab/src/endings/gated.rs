//! Endings that need segments to cross or to be lost.

use std::{
    io::{ErrorKind, Write as _},
    net::{Shutdown, TcpStream},
};

use socket2::SockRef;

use super::{Side, abort, expect_error, expect_reset, keepalive};
use crate::{
    Action, Conversation, Direction, Error, Family, Gated, PATIENCE, Result, Service, Tuple,
    conversation::{until_acked, until_fin, until_gone, until_state},
    error::Context as _,
    kernel::{self, State},
    packet::flag,
};

/// Both close at once, their FINs cross. Both hold TIME_WAIT.
///
/// # Errors
///
/// What the kernel did instead.
pub fn closed_by_both(gated: &Gated, family: Family) -> Result<Tuple> {
    let service = Service::open(&gated.pair, family)?;
    let mut conversation = settled(&service)?;
    gated.gate.hold(flag::FIN);
    for end in [&conversation.client, &conversation.server] {
        end.shutdown(Shutdown::Write)
            .to(|| "close half a connection".to_owned())?;
    }
    gated.gate.until_held(2)?;
    gated.gate.open();
    gated.gate.release()?;
    until_fin(&mut conversation.client)?;
    until_fin(&mut conversation.server)?;
    // Once both FINs are acked, what is left waits, and is no longer a socket.
    until_state(&conversation.client, State::Close)?;
    until_state(&conversation.server, State::Close)?;
    Ok(conversation.tuple)
}

/// Both abort at once, their RSTs cross.
///
/// # Errors
///
/// What the kernel did instead.
pub fn aborted_by_both(gated: &Gated, family: Family) -> Result<Tuple> {
    let service = Service::open(&gated.pair, family)?;
    let conversation = settled(&service)?;
    gated.gate.hold(flag::RST);
    let tuple = conversation.tuple;
    abort(conversation.client)?;
    abort(conversation.server)?;
    gated.gate.until_held(2)?;
    gated.gate.open();
    gated.gate.release()?;
    Ok(tuple)
}

/// The client closes first; the last ACK, by which it confirms the server's
/// FIN, is lost once. The server repeats its FIN, which restarts the client's
/// TIME_WAIT.
///
/// # Errors
///
/// What the kernel did instead.
pub fn last_ack_lost(gated: &Gated, family: Family) -> Result<Tuple> {
    let service = Service::open(&gated.pair, family)?;
    let conversation = settled(&service)?;
    let tuple = conversation.tuple;
    let (client, mut server) = conversation.seen_from(Side::Client);
    client
        .shutdown(Shutdown::Write)
        .to(|| "close half a connection".to_owned())?;
    until_fin(&mut server)?;
    let mut lost = 0;
    gated.gate.rule(move |direction, packet| {
        let is_last = direction == Direction::ToServer && packet.flags == flag::ACK;
        lost += u32::from(is_last);
        if is_last && lost == 1 {
            Action::Drop
        } else {
            Action::Pass
        }
    });
    server
        .shutdown(Shutdown::Write)
        .to(|| "close half a connection".to_owned())?;
    until_state(&server, State::Close)?;
    gated.gate.open();
    Ok(tuple)
}

/// The client dies of its keepalive, because nothing of the server reaches it
/// any more. Its RST does reach the server. Takes some three seconds.
///
/// # Errors
///
/// What the kernel did instead.
pub fn keepalive_timeout(gated: &Gated, family: Family) -> Result<Tuple> {
    let service = Service::open(&gated.pair, family)?;
    let conversation = settled(&service)?;
    let tuple = conversation.tuple;
    let (client, server) = conversation.seen_from(Side::Client);
    keepalive(client, || gated.gate.blackhole(Direction::ToClient))?;
    gated.gate.open();
    expect_reset(&server)?;
    Ok(tuple)
}

/// The server vanishes without a word. Data of the client is lost at first; by
/// the time it is repeated, the server is back without memory, and answers with
/// a RST.
///
/// # Errors
///
/// What the kernel did instead.
pub fn forgotten_by_server(gated: &Gated, family: Family) -> Result<Tuple> {
    let service = Service::open(&gated.pair, family)?;
    let conversation = settled(&service)?;
    let tuple = conversation.tuple;
    const DATA: &[u8] = b"are you there?";
    let (mut client, server) = conversation.seen_from(Side::Client);
    // Its own RST is lost: to the client it is as if its memory were.
    gated.gate.cut();
    abort(server)?;
    gated
        .gate
        .until_seen("the RST that is lost", tuple.responder, |packet| {
            packet.is(flag::RST)
        })?;
    client.write_all(DATA).to(|| "write".to_owned())?;
    gated
        .gate
        .until_seen("the data that is lost", tuple.originator, |packet| {
            packet.payload == DATA.len()
        })?;
    gated.gate.open();
    expect_error(
        until_gone(&client, PATIENCE)?,
        &[ErrorKind::ConnectionReset],
    )?;
    Ok(tuple)
}

/// What the kernel does with a connection that the queue of the listener has no
/// room for when its handshake completes (`net.ipv4.tcp_abort_on_overflow`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// Ignores the ACK; the SYN-ACK is sent again.
    Wait,
    /// Answers the ACK with a RST.
    Abort,
}

/// Two connections want into a queue with room for one more. The tuple of the
/// one that did not get in; with [`Overflow::Wait`], the client gives it up by
/// a RST once the SYN-ACK was repeated.
///
/// # Errors
///
/// What the kernel did instead.
pub fn queue_overflow(gated: &Gated, family: Family, overflow: Overflow) -> Result<Tuple> {
    let Gated { pair, gate, .. } = gated;
    let abort_on_overflow = u8::from(overflow == Overflow::Abort);
    pair.server
        .namespace
        .set_sysctl("net.ipv4.tcp_abort_on_overflow", abort_on_overflow)?;
    let addresses = [pair.client.address(family), pair.server.address(family)];
    // Room for one more than this, and for as many without their last ACK:
    // beyond that the kernel would send cookies, and forget who asked.
    const BACKLOG: i32 = 2;
    let service = Service::open_between(pair, addresses[0], addresses[1], BACKLOG)?;
    let connect = || {
        let (socket, tuple) = service.caller()?;
        socket
            .connect(&tuple.responder.into())
            .to(|| format!("connect to {}", tuple.responder))?;
        Ok::<_, Error>((TcpStream::from(socket), tuple))
    };
    let _waiting = [connect()?, connect()?];
    crate::try_wait_for("two connections in the queue", PATIENCE, || {
        let queued = kernel::sockets(&pair.server.namespace, &[State::Established]);
        (queued.ok()?.len() == 2).then_some(())
    })?;
    // The server sees both SYNs before either ACK.
    gate.rule(|direction, packet| {
        let last = direction == Direction::ToServer && packet.flags == flag::ACK;
        if last { Action::Hold } else { Action::Pass }
    });
    let _last = connect()?;
    let (second, tuple) = connect()?;
    gate.until_held(2)?;
    gate.open();
    gate.release()?;
    match overflow {
        Overflow::Abort => expect_reset(&second)?,
        Overflow::Wait => {
            let is_syn = |packet: &crate::packet::Packet| {
                packet.is(flag::SYN) && packet.destination == tuple.originator
            };
            crate::try_wait_for("a repeated SYN-ACK", PATIENCE, || {
                let seen = gate.seen();
                let count = seen.iter().filter(|seen| is_syn(&seen.packet)).count();
                (count > 1).then_some(())
            })?;
            abort(second)?;
        }
    }
    Ok(tuple)
}

/// A connection over which a question and its answer have gone, and everything
/// that the kernel had to say to that: no ACK is under way any more that could
/// cross with what comes next.
fn settled(service: &Service) -> Result<Conversation> {
    let conversation = service.converse()?;
    for end in [&conversation.client, &conversation.server] {
        SockRef::from(end)
            .set_tcp_quickack(true)
            .to(|| "ask for an immediate ACK".to_owned())?;
    }
    until_acked(&conversation.client)?;
    until_acked(&conversation.server)?;
    Ok(conversation)
}
