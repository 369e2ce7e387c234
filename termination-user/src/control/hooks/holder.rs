//! Who holds an XDP hook: asked of rtnetlink (rtnetlink(7), IFLA_XDP), which
//! knows every program however it was attached.

use std::{fmt, io};

use aya::programs::loaded_programs;

use super::netlink;

// include/uapi/linux/if_link.h
const IFLA_XDP: u16 = 43;
const IFLA_XDP_DRV_PROG_ID: u16 = 5;
const IFLA_XDP_SKB_PROG_ID: u16 = 6;
const IFLA_XDP_HW_PROG_ID: u16 = 7;

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
    // struct ifinfomsg: family and type, index, flags, change.
    let message = [0, index, 0, 0].map(u32::to_ne_bytes);
    let body = message.as_flattened();
    let answer = netlink::get(libc::RTM_GETLINK, body, libc::RTM_NEWLINK)?;
    Ok(parse(answer.get(body.len()..).unwrap_or_default())
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

/// Program ids in the attributes of a link.
fn parse(attributes: &[u8]) -> Vec<(&'static str, u32)> {
    let Some(xdp) = netlink::attributes(attributes).find(|&(kind, _)| kind == IFLA_XDP) else {
        return Vec::new();
    };
    netlink::attributes(xdp.1)
        .filter_map(|(kind, value)| {
            let mode = match kind {
                IFLA_XDP_DRV_PROG_ID => "native",
                IFLA_XDP_SKB_PROG_ID => "generic",
                IFLA_XDP_HW_PROG_ID => "offloaded",
                _ => return None,
            };
            Some((mode, netlink::u32_at(value, 0)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{netlink::attribute, *};

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
        let lo = crate::control::hooks::interfaces::list().unwrap();
        let lo = lo.iter().find(|interface| interface.name == "lo").unwrap();
        assert!(xdp_holders(lo.index).is_ok());
        assert_eq!(
            xdp_holders(0x7fff_fff0).unwrap_err().raw_os_error(),
            Some(libc::ENODEV)
        );
    }
}
