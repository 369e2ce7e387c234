//! Filters of the clsact qdisc, the hooks of kernels before TCX (6.6).
//!
//! A filter belongs to nobody: it stays when this process dies, and whoever may
//! run tc(8) may delete or replace it. rtnetlink tells of that, and is asked
//! what is there now.

use std::io;

use aya::programs::{
    ProgramError, TcAttachType,
    tc::{self, NlOptions, SchedClassifierLink, TcAttachOptions, TcError, TcHandle},
};

use super::{
    hook::{NotTaken, Standing, chain, program_of},
    interfaces::Interface,
    netlink,
};
use crate::control::{kernel::programs::Programs, persistence::pins::HookName};

/// Before every filter that did not ask for the same.
const PRIORITY: u16 = 1;
const HANDLE: u32 = 0x7e12;

/// The place of our filters, in the words of tc(8).
pub(super) fn place() -> String {
    format!("pref {PRIORITY} handle {HANDLE:#x}")
}

/// A filter that was taken. Dropped, it is removed.
#[derive(Debug)]
pub(super) struct Filter {
    /// Gone once it was left where it is.
    link: Option<SchedClassifierLink>,
    egress: bool,
    /// The program that runs there.
    program: u32,
}

impl Filter {
    /// What is there now, on the interface of this index, in the caller's network
    /// namespace.
    pub(super) fn standing(&self, index: u32) -> Standing {
        match program_at(index, self.egress) {
            Ok(Some(program)) if program == self.program => Standing::Held,
            Ok(Some(_)) => Standing::Displaced,
            Ok(None) => Standing::Gone,
            // Nobody has said that it is gone.
            Err(_) => Standing::Held,
        }
    }

    /// It stays where it is, whatever becomes of this.
    pub(super) fn leave(&mut self) {
        // aya would remove it.
        std::mem::forget(self.link.take());
    }
}

/// The program of the filter at our place; `None` if none is there, nor the
/// qdisc, nor the interface.
fn program_at(index: u32, egress: bool) -> io::Result<Option<u32>> {
    // include/uapi/linux/rtnetlink.h, pkt_cls.h, pkt_sched.h
    const TCA_OPTIONS: u16 = 2;
    const TCA_BPF_ID: u16 = 11;
    const TC_H_CLSACT_INGRESS: u32 = 0xffff_fff2;
    const TC_H_CLSACT_EGRESS: u32 = 0xffff_fff3;
    const ETH_P_ALL: u16 = 3;
    let parent = if egress {
        TC_H_CLSACT_EGRESS
    } else {
        TC_H_CLSACT_INGRESS
    };
    let info = u32::from(PRIORITY) << 16 | u32::from(ETH_P_ALL.to_be());
    // struct tcmsg: family and padding, index, handle, parent, info.
    let tcmsg = [0, index, HANDLE, parent, info].map(u32::to_ne_bytes);
    let body = tcmsg.as_flattened();
    match netlink::get(libc::RTM_GETTFILTER, body, libc::RTM_NEWTFILTER) {
        Ok(answer) => {
            let all = answer.get(body.len()..).unwrap_or_default();
            let options = netlink::attributes(all).find(|&(kind, _)| kind == TCA_OPTIONS);
            let id = options.and_then(|(_, options)| {
                netlink::attributes(options).find(|&(kind, _)| kind == TCA_BPF_ID)
            });
            // 0: of another kind, such as a classic one. No program has it.
            let id = id.and_then(|(_, value)| netlink::u32_at(value, 0));
            Ok(Some(id.unwrap_or(0)))
        }
        // No filter; no qdisc, or none of that kind; no interface
        // (net/sched/cls_api.c tc_get_tfilter).
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(libc::ENOENT | libc::EINVAL | libc::EOPNOTSUPP | libc::ENODEV)
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Adds a filter, or replaces the one that is there, of which it returns the
/// program: at the same priority and handle the kernel exchanges them in one step
/// (cls_bpf_change).
pub(super) fn take(
    programs: &mut Programs,
    interface: &Interface,
    name: HookName,
) -> Result<(Filter, Option<u32>), NotTaken> {
    const PLACE: TcHandle = TcHandle::new((HANDLE >> 16) as u16, HANDLE as u16);
    let hook = |error: &dyn std::error::Error| NotTaken::Hook(chain(error));
    match tc::qdisc_add_clsact(&interface.name) {
        Ok(()) => {}
        // EEXIST: it is there, for others too; it stays when we go.
        Err(TcError::NetlinkError(error)) if error.raw_os_error() == Some(libc::EEXIST) => {}
        Err(error) => {
            let why = format!("cannot add the clsact qdisc: {}", chain(&error));
            return Err(NotTaken::Hook(why));
        }
    }
    let side = side(name);
    let mut replaced = program_at(interface.index, name.egress).map_err(|error| hook(&error))?;
    let program = programs.filter(program_of(name))?;
    let id = program.info().map_err(|error| hook(&error))?.id();
    let there = SchedClassifierLink::attached(&interface.name, side, PRIORITY, PLACE, None)
        .map_err(|error| hook(&error))?;
    let taken = match program.attach_to_link(there) {
        Err(error) if errno(&error) == Some(libc::ENOENT) => {
            replaced = None;
            let options = NlOptions {
                priority: PRIORITY,
                handle: PLACE,
                ..NlOptions::default()
            };
            program.attach_with_options(&interface.name, side, TcAttachOptions::Netlink(options))
        }
        taken => taken,
    };
    let link = taken
        .and_then(|id| program.take_link(id))
        .map_err(|error| hook(&error))?;
    let filter = Filter {
        link: Some(link),
        egress: name.egress,
        program: id,
    };
    Ok((filter, replaced))
}

/// Removes a filter that an earlier controller left. There may be none any
/// more.
pub(super) fn remove(interface: &str, name: HookName) {
    let _ = tc::qdisc_detach_program(interface, side(name), program_of(name));
}

const fn side(name: HookName) -> TcAttachType {
    if name.egress {
        TcAttachType::Egress
    } else {
        TcAttachType::Ingress
    }
}

/// The errno at the root of an aya error.
fn errno(error: &ProgramError) -> Option<i32> {
    match error {
        ProgramError::SyscallError(error) => error.io_error.raw_os_error(),
        ProgramError::TcError(TcError::NetlinkError(error)) | ProgramError::NetlinkError(error) => {
            error.raw_os_error()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_knows_of_no_filter_where_there_is_no_qdisc() {
        for egress in [false, true] {
            assert_eq!(program_at(1, egress).unwrap(), None);
            assert_eq!(program_at(0x7fff_fff0, egress).unwrap(), None);
        }
    }
}
