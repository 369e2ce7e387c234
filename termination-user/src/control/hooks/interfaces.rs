//! Which interfaces: names, patterns and `any`, as the kernel lists them in
//! the caller's network namespace (by netlink, never by /sys, which shows
//! whatever namespace mounted it).

use std::{
    ffi::CStr,
    io, mem,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

/// One interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its index in its namespace.
    pub index: u32,
    /// Its name now.
    pub name: String,
    /// It is a loopback: what it sends it receives, so one hook sees both
    /// directions.
    pub loopback: bool,
    /// Its driver is veth, where native XDP costs the peer its segmentation
    /// offload (drivers/net/veth.c veth_xdp_set).
    pub veth: bool,
}

/// A pattern that names no interface.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no interface is called {pattern}; there are: {}", .there.join(", "))]
pub struct Unknown {
    /// The name or pattern.
    pub pattern: String,
    /// Names of all interfaces.
    pub there: Vec<String>,
}

/// All interfaces of the caller's network namespace.
///
/// # Errors
///
/// What the kernel answered.
pub fn list() -> io::Result<Vec<Interface>> {
    // SAFETY: no arguments; the result is checked below.
    let array = unsafe { libc::if_nameindex() };
    if array.is_null() {
        return Err(io::Error::last_os_error());
    }
    let mut all = Vec::new();
    let mut entry = array;
    // SAFETY: if_nameindex(3) returns an array that ends with an entry whose
    // index is 0 and whose name is null; before it each name is a C string.
    while unsafe { !(*entry).if_name.is_null() } {
        // SAFETY: as above, `entry` is not the last.
        let (index, name) = unsafe { ((*entry).if_index, CStr::from_ptr((*entry).if_name)) };
        all.push(Interface {
            index,
            name: name.to_string_lossy().into_owned(),
            loopback: false,
            veth: false,
        });
        // SAFETY: an entry that is not the last has a next one.
        entry = unsafe { entry.add(1) };
    }
    // SAFETY: `array` came from if_nameindex and is freed once.
    unsafe { libc::if_freenameindex(array) };

    // SAFETY: a plain system call; the result is checked.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    for interface in &mut all {
        interface.loopback = flags(&socket, &interface.name)? & libc::IFF_LOOPBACK != 0;
        interface.veth = driver_is(&socket, &interface.name, b"veth");
    }
    Ok(all)
}

/// A request about an interface (netdevice(7)).
fn request_for(name: &str) -> libc::ifreq {
    // SAFETY: all zeroes are a valid ifreq.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    for (to, from) in request
        .ifr_name
        .iter_mut()
        .zip(name.bytes().take(libc::IFNAMSIZ - 1))
    {
        *to = from.cast_signed() as libc::c_char;
    }
    request
}

/// struct ethtool_drvinfo (include/uapi/linux/ethtool.h).
#[repr(C)]
struct DriverInfo {
    command: u32,
    driver: [u8; 32],
    rest: [u8; 160],
}

/// The interface's driver has this name. Not if it does not tell, or is gone.
fn driver_is(socket: &OwnedFd, name: &str, driver: &[u8]) -> bool {
    const ETHTOOL_GDRVINFO: u32 = 3;
    let mut info = DriverInfo {
        command: ETHTOOL_GDRVINFO,
        driver: [0; 32],
        rest: [0; 160],
    };
    let mut request = request_for(name);
    request.ifr_ifru.ifru_data = (&raw mut info).cast();
    // SAFETY: SIOCETHTOOL reads the name, and reads and writes at most the 196
    // bytes of a `struct ethtool_drvinfo` at `ifru_data`, which outlives the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    result == 0 && info.driver.split(|&byte| byte == 0).next() == Some(driver)
}

/// The flags of an interface (netdevice(7)); 0 when it is just gone.
fn flags(socket: &OwnedFd, name: &str) -> io::Result<i32> {
    let mut request = request_for(name);
    // SAFETY: SIOCGIFFLAGS reads the name and writes the flags of a valid ifreq.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) };
    if result < 0 {
        let error = io::Error::last_os_error();
        return match error.raw_os_error() {
            Some(libc::ENODEV) => Ok(0),
            _ => Err(error),
        };
    }
    // SAFETY: the call succeeded, so the union holds the flags.
    Ok(i32::from(unsafe { request.ifr_ifru.ifru_flags }))
}

/// One of the patterns names the interface.
pub fn is_named(patterns: &[String], name: &str) -> bool {
    patterns
        .iter()
        .any(|pattern| pattern == "any" || matches(pattern.as_bytes(), name.as_bytes()))
}

/// The interfaces that `patterns` name, each once, in the order of their
/// index.
///
/// # Errors
///
/// [`Unknown`] for the first pattern that names none.
pub fn select(patterns: &[String], all: &[Interface]) -> Result<Vec<Interface>, Unknown> {
    for pattern in patterns {
        let named =
            |interface: &Interface| is_named(std::slice::from_ref(pattern), &interface.name);
        if !all.iter().any(named) {
            return Err(Unknown {
                pattern: pattern.clone(),
                there: all.iter().map(|interface| interface.name.clone()).collect(),
            });
        }
    }
    Ok(matching(patterns, all))
}

/// As [`select`], where a pattern may name none yet.
pub fn matching(patterns: &[String], all: &[Interface]) -> Vec<Interface> {
    let wanted = |interface: &&Interface| is_named(patterns, &interface.name);
    let mut selected: Vec<_> = all.iter().filter(wanted).cloned().collect();
    selected.sort_by_key(|interface| interface.index);
    selected
}

/// Shell-like: `*` any characters, `?` one, all others themselves.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    // After a star: where to go on in the pattern, and from which character.
    let mut back = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                back = Some((p + 1, n));
                p += 1;
            }
            Some(&c) if c == b'?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((star, from)) = back else {
                    return false;
                };
                back = Some((star, from + 1));
                (p, n) = (star, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_like_in_a_shell() {
        for (pattern, name, expected) in [
            ("eth0", "eth0", true),
            ("eth0", "eth01", false),
            ("veth*", "veth12ab", true),
            ("veth*", "eth0", false),
            ("*th?", "eth0", true),
            ("*0", "eth00", true),
            ("*", "", true),
            ("e*h*1", "ehh2h1", true),
            ("?", "", false),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn each_interface_is_chosen_once_and_an_unknown_one_is_said() {
        let interface = |index, name: &str| Interface {
            index,
            name: name.to_owned(),
            loopback: false,
            veth: false,
        };
        let all = [
            interface(1, "lo"),
            interface(2, "eth0"),
            interface(3, "eth1"),
        ];
        let names = |patterns: &[&str]| {
            let patterns: Vec<_> = patterns.iter().map(|&p| p.to_owned()).collect();
            select(&patterns, &all)
                .map(|found| found.into_iter().map(|i| i.index).collect::<Vec<_>>())
        };
        assert_eq!(names(&["eth1", "eth*"]), Ok(vec![2, 3]));
        assert_eq!(names(&["any"]), Ok(vec![1, 2, 3]));
        assert_eq!(names(&["eth0", "wlan0"]).unwrap_err().pattern, "wlan0");
    }

    #[test]
    fn the_loopback_is_there_and_known() {
        let all = list().unwrap();
        let lo = all.iter().find(|interface| interface.name == "lo").unwrap();
        assert!(lo.loopback && !lo.veth);
    }
}
