//! Endings in the columns of Zeek's conn.log, so that `zeek-cut` and what
//! else reads such logs can read them.

use std::fmt::Write as _;

use super::Ending;

/// Columns and their types. Zeek's that this program does not know stay unset
/// (`-`): `service`, `local_orig`, `local_resp`, `missed_bytes` and the two of
/// IP bytes.
const COLUMNS: [(&str, &str); 20] = [
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("proto", "enum"),
    ("service", "string"),
    ("duration", "interval"),
    ("orig_bytes", "count"),
    ("resp_bytes", "count"),
    ("conn_state", "string"),
    ("local_orig", "bool"),
    ("local_resp", "bool"),
    ("missed_bytes", "count"),
    ("history", "string"),
    ("orig_pkts", "count"),
    ("orig_ip_bytes", "count"),
    ("resp_pkts", "count"),
    ("resp_ip_bytes", "count"),
];

/// The lines before the first connection, each with its end.
pub fn header() -> String {
    let mut text = String::from(
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n",
    );
    let mut line = |name: &str, of: fn(&(&'static str, &'static str)) -> &'static str| {
        text.push_str(name);
        for column in &COLUMNS {
            text.push('\t');
            text.push_str(of(column));
        }
        text.push('\n');
    };
    line("#fields", |column| column.0);
    line("#types", |column| column.1);
    text
}

/// One connection, without the line's end.
pub fn row(ending: &Ending) -> String {
    let (conn_state, history) = match &ending.zeek {
        Some(zeek) => (&*zeek.conn_state, zeek.history.as_deref()),
        None => ("-", None),
    };
    let history = history.filter(|history| !history.is_empty());
    let history = history.unwrap_or("-");
    let mut row = String::with_capacity(160);
    let Ending {
        originator,
        responder,
        bytes,
        segments,
        ..
    } = ending;
    // A lone segment has no duration.
    let duration = ending
        .duration_seconds
        .filter(|_| segments.sum().is_some_and(|segments| segments > 1));
    let duration = duration.map_or("-".to_owned(), |duration| format!("{duration:.6}"));
    let [bytes, segments] = [bytes, segments]
        .map(|sides| sides.map(|count| count.map_or("-".to_owned(), |count| count.to_string())));
    let written = write!(
        row,
        "{}\t{}\t{}\t{}\t{}\t{}\ttcp\t-\t{duration}\t{}\t{}\t{conn_state}\t-\t-\t-\t{history}\t{}\t-\t{}\t-",
        ending.started_at.unix(),
        ending.id,
        originator.ip,
        originator.port,
        responder.ip,
        responder.port,
        bytes.originator,
        bytes.responder,
        segments.originator,
        segments.responder,
    );
    debug_assert!(written.is_ok(), "text takes everything");
    row
}
