//! bpf(2) where aya hides what matters here: pins, links that can be updated
//! and asked, and the one map that user space makes.
//!
//! aya's `Xdp::attach` takes EINVAL as "no bpf_link here" and silently goes on
//! by netlink: a driver's refusal turns into a second attempt, and what comes
//! of it can be neither pinned nor told from a link. Here a link is a link.

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

/// Commands (enum bpf_cmd, include/uapi/linux/bpf.h).
mod command {
    pub(super) const MAP_CREATE: libc::c_long = 0;
    pub(super) const OBJ_PIN: libc::c_long = 6;
    pub(super) const OBJ_GET: libc::c_long = 7;
    pub(super) const PROG_TEST_RUN: libc::c_long = 10;
    pub(super) const OBJ_GET_INFO_BY_FD: libc::c_long = 15;
    pub(super) const LINK_CREATE: libc::c_long = 28;
    pub(super) const LINK_UPDATE: libc::c_long = 29;
}

/// One bpf(2) call.
///
/// # Safety
///
/// `T` must be the start of the `union bpf_attr` that `number` reads, without
/// padding, and every address in it valid for what the command does with it.
unsafe fn bpf<T>(number: libc::c_long, attributes: &mut T) -> io::Result<i32> {
    // SAFETY: the kernel reads as many bytes of `attributes` as it is told, and
    // takes what lies beyond them as zero; the rest is the caller's promise.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            number,
            std::ptr::from_mut(attributes),
            size_of::<T>(),
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        // A descriptor, or 0: both fit.
        Ok(result as i32)
    }
}

/// As [`bpf`], for commands that answer with a new descriptor.
///
/// # Safety
///
/// As [`bpf`].
unsafe fn bpf_fd<T>(number: libc::c_long, attributes: &mut T) -> io::Result<OwnedFd> {
    // SAFETY: the caller's promise.
    let fd = unsafe { bpf(number, attributes) }?;
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// By reference: a descriptor that was handed over has to live until the call.
fn raw(fd: &impl AsFd) -> u32 {
    fd.as_fd().as_raw_fd().cast_unsigned()
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::from)
}

#[repr(C)]
struct Object {
    pathname: u64,
    fd: u32,
    flags: u32,
}

/// Gives a map, program or link a name in a bpffs.
///
/// # Errors
///
/// As the kernel says: EEXIST when the name is taken, EPERM for a name with a
/// dot, EINVAL where no bpffs is.
pub fn pin(object: impl AsFd, path: &Path) -> io::Result<()> {
    let name = c_path(path)?;
    let mut attributes = Object {
        pathname: name.as_ptr().expose_provenance() as u64,
        fd: raw(&object),
        flags: 0,
    };
    // SAFETY: the attributes of BPF_OBJ_PIN; the path outlives the call.
    unsafe { bpf(command::OBJ_PIN, &mut attributes) }.map(drop)
}

/// Opens what is pinned.
///
/// # Errors
///
/// As the kernel says: ENOENT, or EACCES for what is no pin.
pub fn open(path: &Path) -> io::Result<OwnedFd> {
    let name = c_path(path)?;
    let mut attributes = Object {
        pathname: name.as_ptr().expose_provenance() as u64,
        fd: 0,
        flags: 0,
    };
    // SAFETY: the attributes of BPF_OBJ_GET; the path outlives the call.
    unsafe { bpf_fd(command::OBJ_GET, &mut attributes) }
}

/// Makes an array of `entries` of `bytes` each; `mapped`: that user space maps
/// (`BPF_F_MMAPABLE`, since 5.5).
///
/// # Errors
///
/// As the kernel says.
pub fn array(name: &str, bytes: u32, entries: u32, mapped: bool) -> io::Result<OwnedFd> {
    const ARRAY: u32 = 2;
    const MMAPABLE: u32 = 1 << 10;
    #[repr(C)]
    struct Create {
        kind: u32,
        key_size: u32,
        value_size: u32,
        max_entries: u32,
        flags: u32,
        inner: u32,
        node: u32,
        name: [u8; 16],
    }
    let mut attributes = Create {
        kind: ARRAY,
        key_size: size_of::<u32>() as u32,
        value_size: bytes,
        max_entries: entries,
        flags: if mapped { MMAPABLE } else { 0 },
        inner: 0,
        node: 0,
        name: [0; 16],
    };
    // The last byte stays 0.
    for (to, from) in attributes.name[..15].iter_mut().zip(name.bytes()) {
        *to = from;
    }
    // SAFETY: the attributes of BPF_MAP_CREATE, which holds no address.
    unsafe { bpf_fd(command::MAP_CREATE, &mut attributes) }
}

/// Where a link is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The XDP hook, in the driver.
    XdpNative,
    /// The XDP hook, in the network core.
    XdpGeneric,
    /// The TCX chain of incoming packets, first (kernel 6.6).
    TcxIngress,
    /// The TCX chain of outgoing packets, first.
    TcxEgress,
}

/// Attaches a loaded program to an interface of the caller's network
/// namespace. The link lives as long as its descriptor, or a pin of it.
///
/// # Errors
///
/// As the kernel says: EOPNOTSUPP (no native XDP), EBUSY or EEXIST (the hook
/// is taken), EINVAL, ERANGE, ENOMEM and others from the driver; EINVAL also
/// for XDP before 5.9 (commit aa8d3a716b59) and TCX before 6.6 (053c8e1f235d).
pub fn attach(program: impl AsFd, index: u32, place: Place) -> io::Result<OwnedFd> {
    // include/uapi/linux/bpf.h, include/uapi/linux/if_link.h
    const XDP: u32 = 37;
    const TCX_INGRESS: u32 = 46;
    const TCX_EGRESS: u32 = 47;
    const XDP_SKB_MODE: u32 = 1 << 1;
    const XDP_DRV_MODE: u32 = 1 << 2;
    // Before nothing in particular: first.
    const BEFORE: u32 = 1 << 3;
    #[repr(C)]
    struct Create {
        program: u32,
        index: u32,
        kind: u32,
        flags: u32,
        // Of TCX, all unset: relative to which, and the chain's revision.
        relative: u64,
        revision: u64,
    }
    let (kind, flags) = match place {
        Place::XdpNative => (XDP, XDP_DRV_MODE),
        Place::XdpGeneric => (XDP, XDP_SKB_MODE),
        Place::TcxIngress => (TCX_INGRESS, BEFORE),
        Place::TcxEgress => (TCX_EGRESS, BEFORE),
    };
    let mut attributes = Create {
        program: raw(&program),
        index,
        kind,
        flags,
        relative: 0,
        revision: 0,
    };
    // SAFETY: the attributes of BPF_LINK_CREATE, which hold no address.
    unsafe { bpf_fd(command::LINK_CREATE, &mut attributes) }
}

/// Lets a link run another program from the next packet on.
///
/// # Errors
///
/// As the kernel says: ENOLINK when its interface is gone.
pub fn update(link: impl AsFd, program: impl AsFd) -> io::Result<()> {
    #[repr(C)]
    struct Update {
        link: u32,
        program: u32,
        flags: u32,
        old: u32,
    }
    let mut attributes = Update {
        link: raw(&link),
        program: raw(&program),
        flags: 0,
        old: 0,
    };
    // SAFETY: the attributes of BPF_LINK_UPDATE, which hold no address.
    unsafe { bpf(command::LINK_UPDATE, &mut attributes) }.map(drop)
}

/// The first words of what the kernel says of a program or link (struct
/// bpf_prog_info: kind, id; struct bpf_link_info: kind, id, program, padding;
/// then, for XDP and TCX alike, the interface's index).
fn info(object: impl AsFd) -> io::Result<[u32; 8]> {
    #[repr(C)]
    struct InfoByFd {
        fd: u32,
        length: u32,
        info: u64,
    }
    let mut info = [0_u32; 8];
    let mut attributes = InfoByFd {
        fd: raw(&object),
        length: size_of_val(&info) as u32,
        info: (&raw mut info).expose_provenance() as u64,
    };
    // SAFETY: the attributes of BPF_OBJ_GET_INFO_BY_FD, which writes at most
    // `length` bytes to `info`.
    unsafe { bpf(command::OBJ_GET_INFO_BY_FD, &mut attributes) }?;
    Ok(info)
}

/// The interface of an XDP or TCX link; 0 when that is gone.
///
/// # Errors
///
/// As the kernel says: EINVAL for what is no link.
pub fn index_of(link: impl AsFd) -> io::Result<u32> {
    Ok(info(link)?[4])
}

/// The id of a program.
///
/// # Errors
///
/// As the kernel says.
pub fn id_of(program: impl AsFd) -> io::Result<u32> {
    Ok(info(program)?[1])
}

/// Runs a program once on a "packet", which it may change in place.
///
/// # Errors
///
/// As the kernel says; then it was not run, or only the answer is missing.
pub fn run(program: impl AsFd, packet: &mut [u8]) -> io::Result<()> {
    #[repr(C)]
    struct Run {
        program: u32,
        result: u32,
        size_in: u32,
        size_out: u32,
        data_in: u64,
        data_out: u64,
        repeat: u32,
        duration: u32,
    }
    let address = packet.as_mut_ptr().expose_provenance() as u64;
    let mut attributes = Run {
        program: raw(&program),
        result: 0,
        size_in: packet.len() as u32,
        size_out: packet.len() as u32,
        data_in: address,
        data_out: address,
        repeat: 1,
        duration: 0,
    };
    // SAFETY: the attributes of BPF_PROG_TEST_RUN, which copies the packet in,
    // and after the run at most `size_out` bytes out, to memory that is ours.
    unsafe { bpf(command::PROG_TEST_RUN, &mut attributes) }.map(drop)
}
