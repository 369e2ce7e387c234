//! Offloads of an interface, by the ioctl that ethtool(8) uses.

use std::os::fd::AsRawFd as _;

use crate::{Error, Result, error::Context as _, pair};

/// `struct ethtool_value` of linux/ethtool.h.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO.
const SWITCHES: [u32; 4] = [0x17, 0x1f, 0x24, 0x2c];

/// Makes an interface send and receive what would be on a wire: no segments
/// larger than the MTU, and checksums that are computed. In the namespace of
/// the calling thread.
///
/// # Errors
///
/// What the kernel answered.
pub(crate) fn off(interface: &str) -> Result<()> {
    let what = || format!("switch off the offloads of interface {interface}");
    let socket = pair::any_socket().to(what)?;
    for command in SWITCHES {
        let mut value = Value { command, data: 0 };
        let mut request = pair::named(interface);
        request.ifr_ifru.ifru_data = (&raw mut value).cast();
        // SAFETY: SIOCETHTOOL reads the name and, for these commands, reads and
        // writes a `struct ethtool_value`; both live here.
        let result = unsafe {
            libc::ioctl(
                socket.as_raw_fd(),
                libc::SIOCETHTOOL as libc::Ioctl,
                &raw mut request,
            )
        };
        if result != 0 {
            return Err(Error::last(what()));
        }
    }
    Ok(())
}
