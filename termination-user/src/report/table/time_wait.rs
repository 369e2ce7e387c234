//! The TIME_WAIT table: who holds, how many, for how long.

use super::{
    layout::{LETTERS, Paint, Style, cells, elastic, ends, holder_letter},
    number::{exact, grouped, plural, short, span},
};
use crate::report::{Connection, Group, Waits, connection::Remaining, stats::Held};
use termination_common::taxonomy::Holder;

/// Widest IPv4 address with port.
const ADDRESS: usize = 21;
/// `originator`.
const ROLE: usize = 10;

/// What the narrow columns are.
const COLUMNS: &str = "NEXT, LAST until the first, the last of them is over  OLD age of the oldest";

/// The sums, and one row per group, each line with its end. The groups that are
/// missing are said to be.
///
/// The originator's port is what a host runs out of, so it is left out (`*`):
/// a group is all waits of one pair of addresses on one port of the responder,
/// the service.
pub fn groups(waits: &Waits, list: &[Group], style: Style) -> String {
    let mut text = title(waits.held, style);
    if list.is_empty() {
        return text;
    }
    let mut about = format!(
        "TIME_WAIT lasts {}, rates are over {}; * any ephemeral port",
        span(waits.time_wait_seconds),
        span(waits.window_seconds)
    );
    if let Some(range) = waits.ephemeral {
        about.push_str(&format!(" ({}-{})", range.first, range.last));
    }
    for line in [about.as_str(), COLUMNS] {
        text.push_str(&format!("{}\n", style.paint(Paint::Quiet, line)));
    }
    let row = |role: &str, holder: &str, peer: &str, sum: [&str; 4]| {
        let [count, next, last, oldest] = sum;
        cells(
            &[(role, ROLE), (holder, ADDRESS), (peer, ADDRESS)],
            &format!("{count:>7} {next:>5} {last:>5} {oldest:>5}"),
        )
    };
    let names = ["COUNT", "NEXT", "LAST", "OLD"];
    text.push_str(&style.paint(Paint::Heading, &row("HOLDER", "ADDRESS", "PEER", names)));
    text.push('\n');
    for group in list {
        let originator = any_port(group.originator.ip);
        let responder = group.responder.to_string();
        let (holder, peer) = if group.holder == Holder::Responder {
            (responder, originator)
        } else {
            (originator, responder)
        };
        text.push_str(&row(
            group.holder.name(),
            &holder,
            &peer,
            [
                &exact(group.count),
                &span(group.next_seconds),
                &span(group.last_seconds),
                &span(group.oldest_seconds),
            ],
        ));
        text.push('\n');
        let Some((forecast, paint)) = forecast(group) else {
            continue;
        };
        let line = format!("{:indent$}{forecast}", "", indent = ROLE + 1);
        text.push_str(&match paint {
            Some(paint) => style.paint(paint, &line),
            None => line,
        });
        text.push('\n');
    }
    let shown = list.len();
    let all = usize::try_from(waits.groups).unwrap_or(usize::MAX);
    text.push_str(&left_out(all, shown, "group", style));
    text.push_str(&remarks(waits, list, style));
    text
}

/// What becomes of a group, in words; `None` if it only becomes fewer.
fn forecast(group: &Group) -> Option<(String, Option<Paint>)> {
    let rate = rate(group.rate);
    let Some(ports) = &group.ports else {
        let level = grouped(group.levels_at);
        return (group.rate > 0.0).then(|| (format!("{rate}: levels at {level}"), None));
    };
    let left = format!(
        "{rate}, {} of {} ports left:",
        grouped(ports.left),
        grouped(ports.usable)
    );
    Some(match ports.runs_out_seconds {
        Some(_) if ports.left == 0 => (format!("{left} connect(2) fails now"), Some(Paint::Bad)),
        Some(seconds) => (
            format!("{left} none in {}", span(seconds)),
            Some(Paint::Bad),
        ),
        None => {
            let level = grouped(ports.levels_at);
            (format!("{left} never out, levels at {level}"), None)
        }
    })
}

/// `3.5/s`, `1,234/s`.
fn rate(per_second: f64) -> String {
    const FEW: f64 = 100.0;
    if per_second < FEW {
        format!("{per_second:.1}/s")
    } else {
        format!("{}/s", grouped(per_second.round() as u64))
    }
}

/// What else there is to know about the figures.
fn remarks(waits: &Waits, list: &[Group], style: Style) -> String {
    let mut text = String::new();
    let mut say = |remark: &str| {
        text.push_str(&format!("{}\n", style.paint(Paint::Quiet, remark)));
    };
    if let Some(one_in) = waits.one_in {
        say(&format!(
            "one connection in {one_in} is tracked: counts are of these, ports are not known"
        ));
    }
    let on_loopback = |group: &Group| group.ports.is_some() && group.originator.ip.is_loopback();
    match waits.ephemeral.map(|range| range.tw_reuse) {
        Some(1) => {
            say("tcp_tw_reuse is 1: connect(2) may take a port again after 1 s, if both ends");
            say("have timestamps; the forecast is for those that have none");
        }
        // tcp_twsk_unique (net/ipv4/tcp_ipv4.c): loopback alone.
        Some(2) if list.iter().any(on_loopback) => {
            say("tcp_tw_reuse is 2: on loopback connect(2) may take a port again after 1 s, if");
            say("both ends have timestamps; the forecast is for those that have none");
        }
        _ => {}
    }
    text
}

/// One line per connection in TIME_WAIT, the next to end first, each line with
/// its end. `limit` leaves out the rest, and says so.
pub fn sockets(list: &[Connection], limit: Option<usize>, style: Style) -> String {
    let mut sorted: Vec<_> = waiting(list).collect();
    let mut held = Held::default();
    for (_, wait) in &sorted {
        held.count(wait.holder);
    }
    let mut text = title(held, style);
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
fn title(held: Held, style: Style) -> String {
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
