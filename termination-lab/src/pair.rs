//! Client and server: two namespaces, joined by a veth pair.

use std::{
    ffi::CString,
    io, mem,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    process,
    sync::atomic::{AtomicU16, AtomicU32, Ordering},
};

use crate::{Error, Family, Namespace, PATIENCE, Result, error::Context as _, wait::try_wait_for};

/// Ports that [`Pair::next_port`] hands out: above the privileged ones, below
/// those that the kernel chooses.
const PORTS: std::ops::Range<u16> = 1024..32_768;

/// One end of the cable.
#[derive(Debug)]
pub struct End {
    /// Where it is.
    pub namespace: Namespace,
    /// The name of its interface; no other interface of this host has it.
    pub interface: String,
    /// Its IPv4 address.
    pub v4: Ipv4Addr,
    /// Its IPv6 address.
    pub v6: Ipv6Addr,
}

/// Client and server.
#[derive(Debug)]
pub struct Pair {
    /// Who connects.
    pub client: End,
    /// Who listens.
    pub server: End,
    port: AtomicU16,
}

impl Pair {
    /// Two new namespaces and a veth pair, addresses and all, ready to be used.
    ///
    /// # Errors
    ///
    /// Privileges that are missing, or what `ip` said.
    pub fn new() -> Result<Self> {
        let pair = Self::unconnected()?;
        pair.plug()?;
        Ok(pair)
    }

    /// Makes the cable anew, after [`Pair::unplug`]: interfaces of the same
    /// names and addresses, and of other indices.
    ///
    /// # Errors
    ///
    /// What `ip` said.
    pub fn plug(&self) -> Result<()> {
        self.client.namespace.ip(&format!(
            "link add {} type veth peer name {} netns {}",
            self.client.interface,
            self.server.interface,
            self.server.namespace.name(),
        ))?;
        for end in [&self.client, &self.server] {
            end.configure()?;
        }
        for end in [&self.client, &self.server] {
            end.until_up()?;
        }
        Ok(())
    }

    /// Removes the cable, and with it the interfaces at both ends.
    ///
    /// # Errors
    ///
    /// What `ip` said.
    pub fn unplug(&self) -> Result<()> {
        self.client
            .namespace
            .ip(&format!("link delete {}", self.client.interface))
    }

    /// The namespaces alone; their interfaces are still to be made.
    pub(crate) fn unconnected() -> Result<Self> {
        let end = |role: &str, host| {
            Ok::<_, Error>(End {
                namespace: Namespace::new(role)?,
                interface: unique_interface(&role[..1]),
                v4: Ipv4Addr::new(10, 0, 0, host),
                v6: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, u16::from(host)),
            })
        };
        Ok(Self {
            client: end("client", 1)?,
            server: end("server", 2)?,
            port: AtomicU16::new(PORTS.start),
        })
    }

    /// A port that was not handed out for this pair before, so that no two
    /// connections share a tuple.
    ///
    /// # Errors
    ///
    /// [`Error::Unexpected`] after some 31,000.
    pub fn next_port(&self) -> Result<u16> {
        let port = self.port.fetch_add(1, Ordering::Relaxed);
        if PORTS.contains(&port) {
            return Ok(port);
        }
        Err(Error::unexpected("ports of a pair", "a free one", "none"))
    }

    /// Joins both ends by an 802.1Q VLAN, too. Returns the addresses in it, the
    /// client's first, and the names of the VLAN's interfaces in this order.
    ///
    /// # Errors
    ///
    /// What `ip` said.
    pub fn vlan(&self, identifier: u16, family: Family) -> Result<[(IpAddr, String); 2]> {
        let add = |end: &End, host: u16| {
            let name = unique_interface("v");
            let address = match family {
                Family::V4 => {
                    let [high, low] = identifier.to_be_bytes();
                    IpAddr::from([10, 1 + high, low, host as u8])
                }
                Family::V6 => IpAddr::from([0xfd00, identifier, 0, 0, 0, 0, 0, host]),
            };
            end.namespace.ip(&format!(
                "link add link {} name {name} type vlan id {identifier}\n{}",
                end.interface,
                up(&name, &[address]),
            ))?;
            Ok((address, name))
        };
        Ok([add(&self.client, 1)?, add(&self.server, 2)?])
    }

    /// The same by a VXLAN tunnel over IPv4; identifiers below 16384.
    ///
    /// # Errors
    ///
    /// What `ip` said.
    pub fn vxlan(&self, identifier: u16, family: Family) -> Result<[(IpAddr, String); 2]> {
        let add = |end: &End, other: &End, host: u16| {
            let name = unique_interface("x");
            let address = match family {
                Family::V4 => {
                    let [high, low] = identifier.to_be_bytes();
                    IpAddr::from([10, 128 + high, low, host as u8])
                }
                Family::V6 => IpAddr::from([0xfd01, identifier, 0, 0, 0, 0, 0, host]),
            };
            end.namespace.ip(&format!(
                "link add {name} type vxlan id {identifier} dstport 4789 \
                 local {} remote {} dev {}\n{}",
                end.v4,
                other.v4,
                end.interface,
                up(&name, &[address]),
            ))?;
            Ok((address, name))
        };
        let [client, server] = [&self.client, &self.server];
        Ok([add(client, server, 1)?, add(server, client, 2)?])
    }
}

impl End {
    /// Its address of this family.
    #[must_use]
    pub const fn address(&self, family: Family) -> IpAddr {
        match family {
            Family::V4 => IpAddr::V4(self.v4),
            Family::V6 => IpAddr::V6(self.v6),
        }
    }

    /// Gives the interface its addresses and takes it up.
    pub(crate) fn configure(&self) -> Result<()> {
        self.namespace
            .ip(&up(&self.interface, &[self.v4.into(), self.v6.into()]))
    }

    /// Waits until the interface sends. The kernel gives it its queue some time
    /// after the cable was plugged in (net/core/link_watch.c), on a busy machine
    /// later than that; what is sent before is dropped without a word.
    fn until_up(&self) -> Result<()> {
        let what = format!("interface {} to be up", self.interface);
        let question = format!("link show dev {}", self.interface);
        try_wait_for(&what, PATIENCE, || match self.namespace.ask_ip(&question) {
            Ok(said) => {
                let up = said.contains(" state UP ") && !said.contains(" qdisc noop ");
                up.then_some(Ok(()))
            }
            Err(error) => Some(Err(error)),
        })?
    }

    /// Pulls the cable: nothing comes or goes until [`End::link_up`].
    ///
    /// # Errors
    ///
    /// What `ip` said.
    pub fn link_down(&self) -> Result<()> {
        // The kernel drops IPv6 addresses with the link unless told not to.
        let key = format!("net.ipv6.conf.{}.keep_addr_on_down", self.interface);
        self.namespace.set_sysctl(&key, 1)?;
        self.namespace
            .ip(&format!("link set {} down", self.interface))
    }

    /// Plugs the cable in again.
    ///
    /// # Errors
    ///
    /// What `ip` said.
    pub fn link_up(&self) -> Result<()> {
        self.namespace
            .ip(&format!("link set {} up", self.interface))?;
        self.until_up()
    }

    /// Lets everything that this end sends to `peer` vanish, or no longer.
    ///
    /// # Errors
    ///
    /// What `ip` said.
    pub fn blackhole(&self, peer: IpAddr, on: bool) -> Result<()> {
        let (verb, length) = (if on { "add" } else { "del" }, bits(peer));
        self.namespace
            .ip(&format!("route {verb} blackhole {peer}/{length}"))
    }

    /// The link-layer address of its interface.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn mac(&self) -> Result<[u8; 6]> {
        let what = || format!("ask for the address of interface {}", self.interface);
        let data = self.namespace.enter(|| {
            let socket = any_socket().to(what)?;
            let mut request = named(&self.interface);
            // SAFETY: the request reads the name and writes into a valid ifreq.
            let result = unsafe {
                libc::ioctl(
                    socket.as_raw_fd(),
                    libc::SIOCGIFHWADDR as libc::Ioctl,
                    &raw mut request,
                )
            };
            if result != 0 {
                return Err(Error::last(what()));
            }
            // SAFETY: the call succeeded, so the union holds the address.
            Ok(unsafe { request.ifr_ifru.ifru_hwaddr.sa_data })
        })??;
        let mut mac = [0; 6];
        for (to, from) in mac.iter_mut().zip(data) {
            *to = from as u8;
        }
        Ok(mac)
    }

    /// The index of its interface in its namespace.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn index(&self) -> Result<u32> {
        self.namespace.enter(|| index(&self.interface))?
    }
}

/// Index of an interface in the namespace of the calling thread.
pub(crate) fn index(interface: &str) -> Result<u32> {
    let what = || format!("find interface {interface}");
    let name = CString::new(interface).map_err(io::Error::from).to(what)?;
    // SAFETY: a C string.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(Error::last(what())),
        index => Ok(index),
    }
}

/// A name that no other interface made here has: all namespaces taken
/// together, also those of other processes. Fifteen bytes at most.
pub(crate) fn unique_interface(prefix: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}{:x}x{number:x}", process::id())
}

/// A request about an interface.
pub(crate) fn named(interface: &str) -> libc::ifreq {
    // SAFETY: all zeroes are a valid ifreq.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    let name = interface.bytes().take(libc::IFNAMSIZ - 1);
    for (to, from) in request.ifr_name.iter_mut().zip(name) {
        *to = from as libc::c_char;
    }
    request
}

/// A socket to ask about interfaces through, in the calling thread's namespace.
pub(crate) fn any_socket() -> io::Result<OwnedFd> {
    // SAFETY: a plain system call; the result is checked.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(socket) })
}

/// Commands of `ip` that take an interface up, with nothing of its own to say:
/// no link-local address, so no duplicate address detection and no routers.
fn up(interface: &str, addresses: &[IpAddr]) -> String {
    let mut batch = format!("link set {interface} addrgenmode none\n");
    for &address in addresses {
        let (length, flag) = match address {
            IpAddr::V4(_) => (24, ""),
            IpAddr::V6(_) => (64, "nodad"),
        };
        batch += &format!("address add {address}/{length} dev {interface} {flag}\n");
    }
    batch + &format!("link set {interface} up\n")
}

const fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}
