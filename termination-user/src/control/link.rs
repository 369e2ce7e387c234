//! An XDP link, made by the system call itself.
//!
//! aya's `Xdp::attach` takes EINVAL as "no bpf_link here" and silently goes on
//! by netlink: a driver's refusal turns into a second attempt, and what comes
//! of it can be neither pinned nor told from a link. Here a link is a link.

use std::{
    io,
    os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd},
};

// include/uapi/linux/bpf.h, include/uapi/linux/if_link.h
const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_XDP: u32 = 37;
const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;

/// The part of `union bpf_attr` that BPF_LINK_CREATE reads for XDP.
#[repr(C)]
struct LinkCreate {
    prog_fd: u32,
    target_ifindex: u32,
    attach_type: u32,
    flags: u32,
}

/// An attached XDP program; dropping it (or dying) detaches.
#[derive(Debug)]
pub struct XdpLink {
    fd: OwnedFd,
}

impl AsFd for XdpLink {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Attaches a loaded XDP program to an interface of the caller's network
/// namespace, in the driver (`native`) or in the network core.
///
/// # Errors
///
/// As the kernel says: EOPNOTSUPP (no native XDP), EBUSY or EEXIST (the hook
/// is taken), EINVAL, ERANGE, ENOMEM and others from the driver; EINVAL also
/// before 5.9 (commit aa8d3a716b59).
pub fn attach_xdp(program: impl AsFd, index: u32, native: bool) -> io::Result<XdpLink> {
    let attributes = LinkCreate {
        prog_fd: program.as_fd().as_raw_fd().cast_unsigned(),
        target_ifindex: index,
        attach_type: BPF_XDP,
        flags: if native {
            XDP_FLAGS_DRV_MODE
        } else {
            XDP_FLAGS_SKB_MODE
        },
    };
    // SAFETY: the kernel reads as many bytes of `attributes` as it is told, and
    // takes what lies beyond them as zero.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_LINK_CREATE,
            &raw const attributes,
            size_of::<LinkCreate>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor (they fit an int) that nobody else owns.
    let fd = unsafe { OwnedFd::from_raw_fd(result as i32) };
    Ok(XdpLink { fd })
}
