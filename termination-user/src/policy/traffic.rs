//! Which connections a policy tracks, and the rules as the host keeps them.

use std::{collections::HashMap, net::IpAddr, ops::RangeInclusive};

use termination_common::{
    policy::Settings,
    traffic::{
        HEAD_BITS, PORT_WORDS, PORTS, PrefixKey, Rules, class, left_out, port_word,
        rule::{ANY, PORT_WANTED, PORTS as PORTS_NAMED, PREFIX_WANTED, PREFIXES},
    },
    tuple::{Family, Tuple},
};
use toml::{Spanned, Value};

use super::file::{self, Raw, Refusal};
use crate::report::ask::Prefix;

/// Most prefixes in a policy: the kernel's map has room for two policies.
pub const MOST_PREFIXES: usize = 1 << 14;

/// Most that a sample may leave out.
const MOST_SAMPLED: i64 = 1 << 20;

/// Ports from, to.
pub type Ports = RangeInclusive<u16>;

/// Which connections are tracked. Empty lists: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// One of the two ends has to be in one of these.
    pub include: Vec<Prefix>,
    /// Neither end may be in one of these.
    pub exclude: Vec<Prefix>,
    /// One of the two ports has to be one of these.
    pub ports: Vec<Ports>,
    /// Neither port may be one of these.
    pub exclude_ports: Vec<Ports>,
    /// One connection in so many, 0 and 1: all.
    pub sample: u32,
}

impl Traffic {
    /// Everything is tracked.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// The part of [`Settings::flags`] that tells the programs what to look up.
    pub fn flags(&self) -> u32 {
        let Self {
            include,
            exclude,
            ports,
            exclude_ports,
            sample: _,
        } = self;
        let when = |yes: bool, flag| if yes { flag } else { 0 };
        when(!self.is_all(), ANY)
            | when(!include.is_empty() || !exclude.is_empty(), PREFIXES)
            | when(!include.is_empty(), PREFIX_WANTED)
            | when(!ports.is_empty() || !exclude_ports.is_empty(), PORTS_NAMED)
            | when(!ports.is_empty(), PORT_WANTED)
    }

    /// Each prefix as the maps have it, for a bank: bits, key, [`class`].
    pub fn prefixes(&self, bank: u32) -> impl Iterator<Item = (u32, PrefixKey, u32)> {
        let of = |list, class| {
            let each: std::slice::Iter<'_, Prefix> = list;
            each.map(move |prefix| (prefix, class))
        };
        of(self.include.iter(), class::INCLUDE)
            .chain(of(self.exclude.iter(), class::EXCLUDE))
            .map(move |(prefix, class)| {
                let (bits, key) = key(*prefix, bank);
                (bits, key, class)
            })
    }

    /// The bitmaps of the ports of one bank: included, excluded.
    pub fn bitmaps(&self) -> Vec<u64> {
        let mut words = vec![0; 2 * PORT_WORDS as usize];
        for (excluded, list) in [(false, &self.ports), (true, &self.exclude_ports)] {
            for port in list.iter().cloned().flatten() {
                words[port_word(0, excluded, port) as usize] |= 1 << (port & 63);
            }
        }
        words
    }

    /// What these rules say, as the maps have them: the inverse of
    /// [`Traffic::flags`], [`Traffic::prefixes`] and [`Traffic::bitmaps`].
    pub fn from_rules(
        settings: &Settings,
        rules: impl IntoIterator<Item = (u32, PrefixKey, u32)>,
        bitmaps: &[u64],
    ) -> Self {
        let mut traffic = Self {
            sample: settings.sample,
            ..Self::default()
        };
        if settings.flags & PREFIXES != 0 {
            for (bits, key, class) in rules {
                let list = if class == class::INCLUDE {
                    &mut traffic.include
                } else {
                    &mut traffic.exclude
                };
                list.extend(prefix(bits, &key));
            }
        }
        if settings.flags & PORTS_NAMED != 0 {
            let (included, excluded) = bitmaps.split_at(bitmaps.len() / 2);
            traffic.ports = ranges(included);
            traffic.exclude_ports = ranges(excluded);
        }
        traffic
    }

    /// Takes the file's table over.
    pub(super) fn build(file: file::Traffic) -> Result<Self, Refusal> {
        let file::Traffic {
            include,
            exclude,
            ports,
            exclude_ports,
            sample,
        } = file;
        let traffic = Self {
            include: prefixes("traffic.include", &include)?,
            exclude: prefixes("traffic.exclude", &exclude)?,
            ports: self::ports("traffic.ports", &ports)?,
            exclude_ports: self::ports("traffic.exclude_ports", &exclude_ports)?,
            sample: sample.as_ref().map(one_in).transpose()?.unwrap_or(0),
        };
        if traffic.include.len() + traffic.exclude.len() > MOST_PREFIXES {
            let at = exclude.last().or(include.last());
            let at = at.map_or(0, |prefix| prefix.span().start);
            let message = format!("there is room for {MOST_PREFIXES} prefixes in all");
            return Err((at, "traffic".to_owned(), message));
        }
        for (prefix, written) in traffic.exclude.iter().zip(&exclude) {
            if traffic.include.contains(prefix) {
                let message = format!("{prefix} is included and excluded");
                let at = written.span().start;
                return Err((at, "traffic.exclude".to_owned(), message));
            }
        }
        for (range, written) in traffic.exclude_ports.iter().zip(&exclude_ports) {
            let same = |port: &u16| traffic.ports.iter().any(|ports| ports.contains(port));
            if let Some(port) = range.clone().find(same) {
                let message = format!("port {port} is included and excluded");
                let at = written.span().start;
                return Err((at, "traffic.exclude_ports".to_owned(), message));
            }
        }
        Ok(traffic)
    }
}

/// A prefix as a key, and how many of the key's bits count.
fn key(prefix: Prefix, bank: u32) -> (u32, PrefixKey) {
    let (family, octets) = match prefix.address() {
        IpAddr::V4(address) => {
            let mut octets = [0; 16];
            octets[..4].copy_from_slice(&address.octets());
            (Family::V4, octets)
        }
        IpAddr::V6(address) => (Family::V6, address.octets()),
    };
    let word = |index: usize| {
        let mut word = [0; 4];
        word.copy_from_slice(&octets[4 * index..][..4]);
        u32::from_ne_bytes(word)
    };
    let key = PrefixKey {
        head: [bank as u8, family as u8, 0, 0],
        address: [word(0), word(1), word(2), word(3)],
    };
    (HEAD_BITS + u32::from(prefix.length()), key)
}

/// The inverse of [`key`]; `None` if it is none.
fn prefix(bits: u32, key: &PrefixKey) -> Option<Prefix> {
    let mut octets = [0; 16];
    for (to, word) in octets.chunks_exact_mut(4).zip(key.address) {
        to.copy_from_slice(&word.to_ne_bytes());
    }
    let address = if key.head[1] == Family::V4 as u8 {
        IpAddr::from([octets[0], octets[1], octets[2], octets[3]])
    } else {
        IpAddr::from(octets)
    };
    let length = bits.checked_sub(HEAD_BITS)?;
    format!("{address}/{length}").parse().ok()
}

/// The ranges of ports in a bitmap.
fn ranges(words: &[u64]) -> Vec<Ports> {
    let has = |port: &u16| {
        let word = words.get(usize::from(port >> 6));
        word.is_some_and(|word| word >> (port & 63) & 1 != 0)
    };
    let mut found: Vec<Ports> = Vec::new();
    for port in (0..=u16::MAX).filter(has) {
        match found.last_mut() {
            Some(range) if range.end().checked_add(1) == Some(port) => {
                *range = *range.start()..=port;
            }
            _ => found.push(port..=port),
        }
    }
    found
}

/// The rules of a policy on the host: what the kernel's maps say, in bank 0.
#[derive(Clone, Debug)]
pub struct HostRules {
    /// Prefixes by their length, the longest first.
    lengths: Vec<(u32, HashMap<PrefixKey, u32>)>,
    ports: Vec<u64>,
    /// The flags of [`Traffic::flags`], and the sample.
    pub settings: Settings,
}

impl HostRules {
    /// Of a policy.
    pub fn new(traffic: &Traffic) -> Self {
        let mut lengths: Vec<(u32, HashMap<PrefixKey, u32>)> = Vec::new();
        for (bits, key, class) in traffic.prefixes(0) {
            let place = lengths.partition_point(|&(other, _)| other > bits);
            if lengths.get(place).is_none_or(|&(other, _)| other != bits) {
                lengths.insert(place, (bits, HashMap::new()));
            }
            lengths[place].1.insert(key, class);
        }
        Self {
            lengths,
            ports: traffic.bitmaps(),
            settings: Settings {
                flags: traffic.flags(),
                sample: traffic.sample,
                ..Settings::DEFAULT
            },
        }
    }
}

impl HostRules {
    /// A connection is left out.
    pub fn leave_out(&self, tuple: &Tuple, seed: [u64; 2]) -> bool {
        left_out(self, &self.settings, seed, tuple) != 0
    }
}

impl Rules for HostRules {
    fn class(&self, key: &PrefixKey) -> u32 {
        let found = self
            .lengths
            .iter()
            .find_map(|(bits, prefixes)| prefixes.get(&masked(key, *bits)));
        found.copied().unwrap_or(0)
    }

    fn ports(&self, index: u32) -> u64 {
        debug_assert!(index < PORTS);
        self.ports.get(index as usize).copied().unwrap_or(0)
    }
}

/// A key without what is beyond so many bits.
fn masked(key: &PrefixKey, bits: u32) -> PrefixKey {
    let mut masked = *key;
    for (word, from) in masked.address.iter_mut().zip((HEAD_BITS..).step_by(32)) {
        let kept = bits.saturating_sub(from).min(32);
        let mask = u32::MAX.checked_shl(32 - kept).unwrap_or(0);
        *word &= mask.to_be();
    }
    masked
}

/// A list of prefixes.
pub(super) fn prefixes(key: &str, list: &[Spanned<String>]) -> Result<Vec<Prefix>, Refusal> {
    list.iter()
        .map(|written| {
            let refuse = |message: String| (written.span().start, key.to_owned(), message);
            let prefix: Prefix = written
                .get_ref()
                .parse()
                .map_err(|error: crate::report::ask::PrefixError| refuse(error.to_string()))?;
            let whole = prefix.cut();
            if whole != prefix {
                return Err(refuse(format!(
                    "{prefix} has bits beyond its length: {whole} is the prefix, {} the address",
                    prefix.address()
                )));
            }
            Ok(prefix)
        })
        .collect()
}

/// A list of ports and ranges of ports.
pub(super) fn ports(key: &str, list: &[Raw]) -> Result<Vec<Ports>, Refusal> {
    let one = |written: &Raw| match written.get_ref() {
        Value::Integer(port) => {
            let port = u16::try_from(*port).ok().filter(|&port| port > 0)?;
            Some(port..=port)
        }
        Value::String(text) => {
            let (from, to) = text.split_once('-')?;
            let number = |text: &str| text.trim().parse::<u16>().ok().filter(|&port| port > 0);
            let (from, to) = (number(from)?, number(to)?);
            (from <= to).then_some(from..=to)
        }
        _ => None,
    };
    list.iter()
        .map(|written| {
            one(written).ok_or_else(|| {
                let message = format!(
                    "{} is no port: expected a number from 1 to 65535, or a range as \
                     \"8000-8099\"",
                    written.get_ref()
                );
                (written.span().start, key.to_owned(), message)
            })
        })
        .collect()
}

/// The size of a sample.
fn one_in(written: &Raw) -> Result<u32, Refusal> {
    match written.get_ref() {
        // One in one is everything.
        Value::Integer(1) => Ok(0),
        &Value::Integer(number @ 2..=MOST_SAMPLED) => Ok(number as u32),
        other => Err((
            written.span().start,
            "traffic.sample".to_owned(),
            format!(
                "{other} is not a whole number from 1 (all connections) to {MOST_SAMPLED} \
                 (one connection in so many)"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_say_what_they_were_made_of() {
        let prefix = |text: &str| text.parse::<Prefix>().unwrap();
        let traffic = Traffic {
            include: vec![prefix("10.1.0.0/16"), prefix("2001:db8::/32")],
            exclude: vec![
                prefix("10.1.2.3/32"),
                prefix("2001:db8::1/128"),
                prefix("0.0.0.0/0"),
            ],
            ports: vec![1..=1, 63..=64, 65_535..=65_535],
            exclude_ports: vec![8000..=8099],
            sample: 7,
        };
        for wanted in [
            traffic.clone(),
            Traffic {
                include: Vec::new(),
                ports: Vec::new(),
                ..traffic.clone()
            },
            Traffic {
                sample: 7,
                ..Traffic::default()
            },
            Traffic::default(),
        ] {
            let settings = HostRules::new(&wanted).settings;
            let rules = wanted.prefixes(1);
            let found = Traffic::from_rules(&settings, rules, &wanted.bitmaps());
            assert_eq!(found, wanted);
        }
        // What is left of an earlier policy in the maps is no rule.
        let none = HostRules::new(&Traffic::default()).settings;
        let found = Traffic::from_rules(&none, traffic.prefixes(0), &traffic.bitmaps());
        assert!(found.is_all(), "{found:?}");
    }
}
