//! Who holds an XDP hook: asked of rtnetlink (rtnetlink(7), IFLA_XDP), which
//! knows every program however it was attached.

use std::{
    fmt, io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use aya::programs::loaded_programs;

// include/uapi/linux/if_link.h
const IFLA_XDP: u16 = 43;
const IFLA_XDP_DRV_PROG_ID: u16 = 5;
const IFLA_XDP_SKB_PROG_ID: u16 = 6;
const IFLA_XDP_HW_PROG_ID: u16 = 7;
/// Nested attributes carry a flag in their type (include/uapi/linux/netlink.h).
const NLA_TYPE_MASK: u16 = 0x3fff;

/// A program on an XDP hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// `native`, `generic` or `offloaded`.
    pub mode: &'static str,
    /// Its program id, as `bpftool prog show id` takes it.
    pub id: u32,
    /// Its name, if the kernel told.
    pub name: Option<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "program {} `{name}` ({})", self.id, self.mode),
            None => write!(f, "program {} ({})", self.id, self.mode),
        }
    }
}

/// The XDP programs on an interface of the caller's network namespace.
///
/// # Errors
///
/// What the kernel answered.
pub fn xdp_holders(index: u32) -> io::Result<Vec<Holder>> {
    let answer = get_link(index)?;
    Ok(parse(&answer)
        .into_iter()
        .map(|(mode, id)| Holder {
            mode,
            id,
            name: program_name(id),
        })
        .collect())
}

/// The name of a loaded program.
fn program_name(id: u32) -> Option<String> {
    loaded_programs()
        .filter_map(Result::ok)
        .find(|program| program.id() == id)
        .and_then(|program| program.name_as_str().map(ToOwned::to_owned))
        .filter(|name| !name.is_empty())
}

/// One RTM_GETLINK exchange; the attributes of the answer.
fn get_link(index: u32) -> io::Result<Vec<u8>> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: a plain system call; the result is checked.
    let socket = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };

    // struct nlmsghdr (16 bytes), then struct ifinfomsg (16 bytes).
    let mut request = [0_u8; 32];
    request[0..4].copy_from_slice(&32_u32.to_ne_bytes());
    request[4..6].copy_from_slice(&libc::RTM_GETLINK.to_ne_bytes());
    request[6..8].copy_from_slice(&(libc::NLM_F_REQUEST as u16).to_ne_bytes());
    request[20..24].copy_from_slice(&index.to_ne_bytes());
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
        Some(libc::RTM_NEWLINK) => Ok(answer.split_off(answer.len().min(32))),
        // NLMSG_ERROR: a negative errno follows the header.
        _ => Err(io::Error::from_raw_os_error(
            u32_at(&answer, 16)
                .unwrap_or_default()
                .cast_signed()
                .wrapping_neg(),
        )),
    }
}

/// Program ids in the attributes of a link.
fn parse(attributes: &[u8]) -> Vec<(&'static str, u32)> {
    let Some(xdp) = attributes_of(attributes).find(|&(kind, _)| kind == IFLA_XDP) else {
        return Vec::new();
    };
    attributes_of(xdp.1)
        .filter_map(|(kind, value)| {
            let mode = match kind {
                IFLA_XDP_DRV_PROG_ID => "native",
                IFLA_XDP_SKB_PROG_ID => "generic",
                IFLA_XDP_HW_PROG_ID => "offloaded",
                _ => return None,
            };
            Some((mode, u32_at(value, 0)?))
        })
        .collect()
}

/// Walks struct rtattr: length and type, 16 bits each, then the value, all
/// aligned to four bytes. Stops at the first that is cut off.
fn attributes_of(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
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

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&(value.len() as u16 + 4).to_ne_bytes());
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn program_ids_are_found_in_the_nest() {
        let mut xdp = attribute(2, &[1]);
        xdp.extend(attribute(4, &77_u32.to_ne_bytes()));
        xdp.extend(attribute(IFLA_XDP_SKB_PROG_ID, &77_u32.to_ne_bytes()));
        let mut link = attribute(3, b"eth0\0");
        link.extend(attribute(IFLA_XDP | 0x8000, &xdp));
        assert_eq!(parse(&link), [("generic", 77)]);
        assert_eq!(parse(&link[..link.len() - 4]), []);
        assert_eq!(parse(&[4, 0]), []);
    }

    #[test]
    fn the_kernel_answers_for_the_loopback() {
        let lo = super::super::interfaces::list().unwrap();
        let lo = lo.iter().find(|interface| interface.name == "lo").unwrap();
        assert!(xdp_holders(lo.index).is_ok());
        assert_eq!(
            xdp_holders(0x7fff_fff0).unwrap_err().raw_os_error(),
            Some(libc::ENODEV)
        );
    }
}
