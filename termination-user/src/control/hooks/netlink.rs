//! One question to rtnetlink(7), and what its answer is made of.

use std::{
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

/// Bytes of struct nlmsghdr.
pub(super) const HEADER: usize = 16;

/// Nested attributes carry a flag in their type (include/uapi/linux/netlink.h).
const NLA_TYPE_MASK: u16 = 0x3fff;

/// A socket to rtnetlink, in the caller's network namespace.
///
/// # Errors
///
/// What the kernel answered.
pub(super) fn socket(flags: libc::c_int) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | flags;
    // SAFETY: a plain system call; the result is checked.
    let socket = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(socket) })
}

/// Asks for one object: `question` with a `body`, that is a family's header and
/// attributes. The same of an answer of the type `expected`.
///
/// # Errors
///
/// What the kernel answered.
pub(super) fn get(question: u16, body: &[u8], expected: u16) -> io::Result<Vec<u8>> {
    let socket = socket(0)?;
    let mut request = vec![0; HEADER];
    request.extend_from_slice(body);
    // A few dozen bytes.
    let length = request.len() as u32;
    request[0..4].copy_from_slice(&length.to_ne_bytes());
    request[4..6].copy_from_slice(&question.to_ne_bytes());
    request[6..8].copy_from_slice(&(libc::NLM_F_REQUEST as u16).to_ne_bytes());
    // SAFETY: the buffer is readable for its length.
    let sent = unsafe {
        libc::send(
            socket.as_raw_fd(),
            request.as_ptr().cast(),
            request.len(),
            0,
        )
    };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut answer = vec![0_u8; 32 << 10];
    // SAFETY: the buffer is writable for its length.
    let received = unsafe {
        libc::recv(
            socket.as_raw_fd(),
            answer.as_mut_ptr().cast(),
            answer.len(),
            0,
        )
    };
    let Ok(received) = usize::try_from(received) else {
        return Err(io::Error::last_os_error());
    };
    answer.truncate(received);
    match u16_at(&answer, 4) {
        Some(kind) if kind == expected => Ok(answer.split_off(answer.len().min(HEADER))),
        // NLMSG_ERROR: a negative errno follows the header.
        _ => Err(io::Error::from_raw_os_error(
            u32_at(&answer, HEADER)
                .unwrap_or_default()
                .cast_signed()
                .wrapping_neg(),
        )),
    }
}

/// The types of the messages that were received at once.
pub(super) fn types(mut bytes: &[u8]) -> impl Iterator<Item = u16> {
    std::iter::from_fn(move || {
        let length = u32_at(bytes, 0)? as usize;
        let kind = u16_at(bytes, 4)?;
        let next = length.max(HEADER).next_multiple_of(4);
        bytes = bytes.get(next..).unwrap_or_default();
        Some(kind)
    })
}

/// Walks struct rtattr: length and type, 16 bits each, then the value, all
/// aligned to four bytes. Stops at the first that is cut off.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & NLA_TYPE_MASK;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Four bytes as a number.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// An attribute, as the kernel writes it.
#[cfg(test)]
pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&(value.len() as u16 + 4).to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_apart_by_their_lengths() {
        let message = |kind: u16, body: usize| {
            let mut bytes = vec![0; HEADER + body];
            let length = bytes.len() as u32;
            bytes[0..4].copy_from_slice(&length.to_ne_bytes());
            bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes
        };
        let bytes = [message(16, 5), message(44, 0), message(45, 20)].concat();
        assert_eq!(types(&bytes).collect::<Vec<_>>(), [16, 44, 45]);
        // A length of 0 does not stand still.
        assert_eq!(types(&[0; 40]).count(), 3);
        assert_eq!(types(&[]).count(), 0);
    }
}
