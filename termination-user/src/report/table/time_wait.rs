//! The TIME_WAIT table: who holds, how many, for how long.

use std::collections::BTreeMap;

use super::{
    layout::{LETTERS, Paint, Style, cells, elastic, ends, holder_letter},
    number::{exact, grouped, plural, short, span},
};
use crate::report::{Address, Connection, connection::Remaining, stats::Held};
use termination_common::taxonomy::Holder;

/// Widest IPv4 address with port.
const ADDRESS: usize = 21;
/// `originator`.
const ROLE: usize = 10;

/// What the narrow columns are.
const COLUMNS: &str = "NEXT, LAST until the first, the last of them is over  AGAIN restarts";

/// What a group has in common: who holds it in which role, and the service.
///
/// The originator's port is what a host runs out of, so it is left out (`*`):
/// a group is all waits of one pair of addresses on one port of the responder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    originator: std::net::IpAddr,
    responder: Address,
    holder: &'static str,
}

/// A group's sums.
#[derive(Clone, Copy, Debug)]
struct Sum {
    count: u64,
    next: f64,
    last: f64,
    restarts: u64,
}

/// One line per group, the largest first, each line with its end. `limit`
/// leaves out the rest, and says so.
pub fn groups(list: &[Connection], limit: Option<usize>, style: Style) -> String {
    let mut found: BTreeMap<Group, Sum> = BTreeMap::new();
    for (connection, wait) in waiting(list) {
        let group = Group {
            originator: connection.originator.ip,
            responder: connection.responder,
            holder: wait.holder.name(),
        };
        let sum = found.entry(group).or_insert(Sum {
            count: 0,
            next: f64::INFINITY,
            last: 0.0,
            restarts: 0,
        });
        sum.count += 1;
        sum.next = sum.next.min(wait.remaining_seconds);
        sum.last = sum.last.max(wait.remaining_seconds);
        sum.restarts += wait.restarts;
    }
    let mut text = title(list, style);
    if found.is_empty() {
        return text;
    }
    let row = |role: &str, holder: &str, peer: &str, sum: [&str; 4]| {
        let [count, next, last, restarts] = sum;
        cells(
            &[(role, ROLE), (holder, ADDRESS), (peer, ADDRESS)],
            &format!("{count:>7} {next:>5} {last:>5} {restarts:>5}"),
        )
    };
    let names = ["COUNT", "NEXT", "LAST", "AGAIN"];
    text.push_str(&style.paint(Paint::Quiet, COLUMNS));
    text.push('\n');
    text.push_str(&style.paint(Paint::Heading, &row("HOLDER", "ADDRESS", "PEER", names)));
    text.push('\n');
    let mut sorted: Vec<_> = found.into_iter().collect();
    sorted.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.count));
    let shown = limit.unwrap_or(usize::MAX);
    for (group, sum) in sorted.iter().take(shown) {
        let originator = any_port(group.originator);
        let responder = group.responder.to_string();
        let (holder, peer) = if group.holder == Holder::Responder.name() {
            (responder, originator)
        } else {
            (originator, responder)
        };
        text.push_str(&row(
            group.holder,
            &holder,
            &peer,
            [
                &exact(sum.count),
                &span(sum.next),
                &span(sum.last),
                &short(sum.restarts),
            ],
        ));
        text.push('\n');
    }
    text.push_str(&left_out(sorted.len(), shown, "group", style));
    text
}

/// One line per connection in TIME_WAIT, the next to end first, each line with
/// its end. `limit` leaves out the rest, and says so.
pub fn sockets(list: &[Connection], limit: Option<usize>, style: Style) -> String {
    let mut sorted: Vec<_> = waiting(list).collect();
    let mut text = title(list, style);
    if sorted.is_empty() {
        return text;
    }
    sorted.sort_by(|(_, a), (_, b)| a.remaining_seconds.total_cmp(&b.remaining_seconds));
    /// ` LEFT AGAIN`.
    const REST: usize = 12;
    let columns = style.width.clamp(Style::NARROW, Style::NARROW + 40) - REST;
    let heading = elastic(0, "ORIGINATOR → RESPONDER", "TW", columns, " LEFT AGAIN");
    text.push_str(&format!(
        "{}\n{}\n{}\n",
        style.paint(
            Paint::Quiet,
            "TW who holds TIME_WAIT  LEFT until it is over  AGAIN restarts"
        ),
        style.paint(Paint::Quiet, LETTERS),
        style.paint(Paint::Heading, &heading)
    ));
    let shown = limit.unwrap_or(usize::MAX);
    for (connection, wait) in sorted.iter().take(shown) {
        let rest = format!(
            "{:>5} {:>5}",
            span(wait.remaining_seconds),
            short(wait.restarts)
        );
        let ends = ends(connection.originator, connection.responder);
        let letter = holder_letter(wait.holder).to_string();
        text.push_str(&elastic(0, &ends, &letter, columns, &rest));
        text.push('\n');
    }
    text.push_str(&left_out(sorted.len(), shown, "connection", style));
    text
}

/// Those in TIME_WAIT.
fn waiting(list: &[Connection]) -> impl Iterator<Item = (&Connection, &Remaining)> {
    list.iter()
        .filter_map(|connection| Some((connection, connection.time_wait.as_ref()?)))
}

/// `126 in TIME_WAIT: originator 100, responder 23, both 3`.
fn title(list: &[Connection], style: Style) -> String {
    let mut held = Held::default();
    for (_, wait) in waiting(list) {
        held.count(wait.holder);
    }
    let parts: Vec<_> = held
        .each()
        .into_iter()
        .filter(|&(_, number)| number > 0)
        .map(|(name, number)| format!("{name} {}", grouped(number)))
        .collect();
    let of = if parts.is_empty() {
        String::new()
    } else {
        format!(": {}", parts.join(", "))
    };
    let title = format!("{} in TIME_WAIT{of}", grouped(held.sum()));
    format!("{}\n", style.paint(Paint::Heading, &title))
}

/// `and 12 more groups (--limit)`, or nothing.
fn left_out(there: usize, shown: usize, one: &str, style: Style) -> String {
    let more = there.saturating_sub(shown) as u64;
    if more == 0 {
        return String::new();
    }
    let text = format!("and {} more (--limit)", plural(more, one));
    format!("{}\n", style.paint(Paint::Quiet, &text))
}

/// `10.0.0.1:*`, `[2001:db8::1]:*`.
fn any_port(ip: std::net::IpAddr) -> String {
    if ip.is_ipv4() {
        format!("{ip}:*")
    } else {
        format!("[{ip}]:*")
    }
}
