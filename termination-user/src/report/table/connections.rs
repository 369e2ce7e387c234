//! The table of connections, live or lingering.

use super::{
    layout::{Paint, Style, both, elastic, ends},
    number::{plural, short, span},
};
use crate::report::{Connection, connection::State};
use termination_common::facts::EndState;

/// ` AGE IDLE O SENT R SENT`: four columns of five or six and their gaps.
const REST: usize = 26;

/// The table, each line with its end. The states are those of the two ends,
/// one word if they agree; of an ended connection it is the ending.
pub fn connections(list: &[Connection], style: Style) -> String {
    if list.is_empty() {
        return String::from("no such connection\n");
    }
    let columns = style.width.clamp(Style::NARROW, Style::NARROW + 40) - REST;
    let title = elastic(
        0,
        "ORIGINATOR → RESPONDER",
        "STATE O/R",
        columns,
        &format!("{:>5} {:>5} {:>6} {:>6}", "AGE", "IDLE", "O SENT", "R SENT"),
    );
    let mut text = style.paint(Paint::Heading, &title);
    text.push('\n');
    for connection in list {
        let Connection {
            originator,
            responder,
            bytes,
            ..
        } = connection;
        let state = match (connection.state, connection.ending) {
            (State::Ended, Some(ending)) => ending.to_string(),
            _ => both(connection.states.map(|state| state.map(EndState::name))),
        };
        let rest = format!(
            "{:>5} {:>5} {:>6} {:>6}",
            span(connection.age_seconds),
            known(connection.idle_seconds.map(span)),
            known(bytes.originator.map(short)),
            known(bytes.responder.map(short)),
        );
        let row = elastic(0, &ends(*originator, *responder), &state, columns, &rest);
        text.push_str(&row);
        text.push('\n');
    }
    text.push_str(&style.paint(Paint::Quiet, &plural(list.len() as u64, "connection")));
    text.push('\n');
    text
}

/// What is not known is a dash.
fn known(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}
