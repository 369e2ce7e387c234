//! The ephemeral ports and the addresses of the caller's network namespace.

use std::{
    collections::{BTreeSet, HashSet},
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ptr,
};

use crate::report::waits::{Ephemeral, Range};

/// Reads both. /proc/sys/net shows the namespace of who reads it.
///
/// # Errors
///
/// What the kernel answered, or a range that makes no sense.
pub fn read() -> io::Result<Ephemeral> {
    let value = |key: &str| fs::read_to_string(format!("/proc/sys/net/ipv4/{key}"));
    let (first, last) = range(&value("ip_local_port_range")?)
        .ok_or_else(|| io::Error::other("net.ipv4.ip_local_port_range is no range"))?;
    let reserved = reserved(&value("ip_local_reserved_ports")?);
    let within = reserved.range(first..=last).count();
    // Kernels without it never reuse.
    let tw_reuse = value("tcp_tw_reuse").ok();
    let usable = (0..=u16::MAX)
        .map(|port| (first..=last).contains(&port) && !reserved.contains(&port))
        .collect();
    Ok(Ephemeral {
        range: Range {
            first,
            last,
            reserved: within as u32,
            tw_reuse: tw_reuse
                .and_then(|text| text.trim().parse().ok())
                .unwrap_or(0),
        },
        usable,
        addresses: addresses()?,
    })
}

/// `32768\t60999`.
fn range(text: &str) -> Option<(u16, u16)> {
    let mut ports = text.split_whitespace().map(str::parse);
    let (first, last) = (ports.next()?.ok()?, ports.next()?.ok()?);
    (first <= last).then_some((first, last))
}

/// `8080,9148-9150`, or nothing.
fn reserved(text: &str) -> BTreeSet<u16> {
    let part = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse::<u16>().ok();
        Some(number(from)?..=number(to)?)
    };
    text.split(',').filter_map(part).flatten().collect()
}

/// The addresses of all interfaces.
fn addresses() -> io::Result<HashSet<IpAddr>> {
    let mut first = ptr::null_mut();
    // SAFETY: `first` is a valid place for the one pointer that is written.
    if unsafe { libc::getifaddrs(&raw mut first) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut addresses = HashSet::new();
    let mut next = first;
    // SAFETY: getifaddrs(3) returns a list that ends with null; each entry is
    // valid until the list is freed below.
    while let Some(entry) = unsafe { next.as_ref() } {
        addresses.extend(address(entry.ifa_addr));
        next = entry.ifa_next;
    }
    // SAFETY: `first` came from getifaddrs and is freed once.
    unsafe { libc::freeifaddrs(first) };
    Ok(addresses)
}

/// An IP address of an interface; other families are none.
fn address(at: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: null or a valid address, as in the list of getifaddrs(3).
    let family = i32::from(unsafe { at.as_ref() }?.sa_family);
    match family {
        libc::AF_INET => {
            // SAFETY: an address of this family is a sockaddr_in.
            let address = unsafe { &*at.cast::<libc::sockaddr_in>() };
            Some(Ipv4Addr::from_bits(u32::from_be(address.sin_addr.s_addr)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: an address of this family is a sockaddr_in6.
            let address = unsafe { &*at.cast::<libc::sockaddr_in6>() };
            Some(Ipv6Addr::from(address.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_as_the_kernel_writes_them() {
        assert_eq!(range("32768\t60999\n"), Some((32_768, 60_999)));
        assert_eq!(range("9 8"), None);
        assert_eq!(range(""), None);
        let found: Vec<_> = reserved("8080,9148-9150\n").into_iter().collect();
        assert_eq!(found, [8080, 9148, 9149, 9150]);
        assert!(reserved("\n").is_empty());
    }

    #[test]
    fn this_host_has_itself() {
        let found = read().unwrap();
        let usable = found.usable.iter().filter(|&&usable| usable).count() as u32;
        let Range {
            first,
            last,
            reserved,
            ..
        } = found.range;
        assert_eq!(usable + reserved, u32::from(last - first) + 1);
        assert!(
            found.addresses.contains(&Ipv4Addr::LOCALHOST.into()),
            "{found:?}"
        );
    }
}
