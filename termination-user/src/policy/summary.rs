//! What a policy would put in force, for people and for programs.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value, json};
use termination_common::{counters::Event, policy::Level};

use super::{
    Policy,
    endings::Benign,
    guards,
    interfaces::word as hooks_word,
    level::notes as level_notes,
    timers::{ROWS, notes},
    traffic::Ports,
};
use crate::report::{SCHEMA, ask::Prefix};

/// Columns of a terminal that tells nothing else.
const COLUMNS: usize = 80;
/// Columns before a value.
const LABEL: usize = 18;

/// `"type":"policy"`: a policy in effect, or as it would be.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// [`SCHEMA`].
    pub schema: u32,
    /// `policy`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The file; null for the defaults.
    pub file: Option<PathBuf>,
    /// How much is tracked; null where the command line, or the default, decides.
    pub level: Option<&'static str>,
    /// Seconds by key.
    pub timers_seconds: Map<String, Value>,
    /// How long TIME_WAIT lasts.
    pub time_wait_seconds: f64,
    /// Events that are reported beside endings and TIME_WAITs.
    pub events: Vec<&'static str>,
    /// Endings that become records; null for all of them.
    pub endings: Option<Vec<&'static str>>,
    /// Where it attaches.
    pub interfaces: Value,
    /// What it tracks.
    pub traffic: Value,
    /// How far each guard goes.
    pub guards: Value,
    /// Rules for endings that are no news.
    pub benign: Vec<Value>,
    /// Consequences that surprise.
    pub notes: Vec<String>,
}

fn texts(list: &[Prefix]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

fn ranges(list: &[Ports]) -> Vec<String> {
    list.iter()
        .map(|ports| match (ports.start(), ports.end()) {
            (from, to) if from == to => from.to_string(),
            (from, to) => format!("{from}-{to}"),
        })
        .collect()
}

impl Summary {
    /// Of a policy that came from `file`.
    pub fn new(policy: &Policy, file: Option<&Path>) -> Self {
        let Policy {
            timers: _,
            settings,
            endings,
            benign,
            traffic,
            interfaces,
            guards: set,
            level,
        } = policy;
        let msl = ROWS.iter().find(|row| row.key == "msl");
        let chosen = |event: &&Event| {
            !matches!(event, Event::Ending | Event::TimeWait)
                && settings.events >> **event as u32 & 1 != 0
        };
        Self {
            schema: SCHEMA,
            kind: "policy",
            file: file.map(Path::to_path_buf),
            level: level.map(Level::name),
            timers_seconds: ROWS
                .iter()
                .map(|row| (row.key.to_owned(), row.seconds(policy).into()))
                .collect(),
            time_wait_seconds: msl.map_or(0.0, |row| 2.0 * row.seconds(policy)),
            events: Event::ALL
                .iter()
                .filter(chosen)
                .map(|event| event.name())
                .collect(),
            endings: endings.names(),
            interfaces: json!({
                "include": interfaces.include,
                "exclude": interfaces.exclude,
                "hooks": hooks_word(interfaces.hooks),
                "for": interfaces.rules.iter().map(|rule| json!({
                    "names": rule.names, "hooks": hooks_word(rule.hooks),
                })).collect::<Vec<_>>(),
            }),
            traffic: json!({
                "include": texts(&traffic.include),
                "exclude": texts(&traffic.exclude),
                "ports": ranges(&traffic.ports),
                "exclude_ports": ranges(&traffic.exclude_ports),
                "sample": traffic.sample.max(1),
            }),
            guards: json!({
                "blind": set.blind.name(),
                "time_wait": set.time_wait.name(),
            }),
            benign: benign.iter().map(rule).collect(),
            notes: [notes(policy), guards::notes(policy), level_notes(policy)].concat(),
        }
    }

    /// For people, each line with its end, at most 80 columns wide.
    pub fn text(&self) -> String {
        let mut text = String::from("timers, in seconds\n");
        for row in &ROWS {
            let seconds = self.timers_seconds[row.key].as_f64().unwrap_or(0.0);
            text.push_str(&format!("  {:<17}{seconds:>5}  {}\n", row.key, row.what));
        }
        let mut line = |label: &str, value: &str| paragraph(&mut text, label, value);
        line(
            "level",
            self.level.unwrap_or("that of the command line, or full"),
        );
        let listed = |list: &[String], none: &str| {
            if list.is_empty() {
                none.to_owned()
            } else {
                list.join(", ")
            }
        };
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let array = |value: &Value| {
            let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
            list.iter()
                .map(|value| value.as_str().unwrap_or_default().to_owned())
                .collect::<Vec<_>>()
        };
        line("events", &listed(&owned(&self.events), "none"));
        match &self.endings {
            None => line("endings", "all become records"),
            Some(names) => {
                let names = listed(&owned(names), "none");
                line("endings", &format!("{names}; the others are only counted"));
            }
        }
        let Self {
            interfaces,
            traffic,
            ..
        } = self;
        let included = array(&interfaces["include"]);
        line(
            "interfaces",
            &listed(&included, "those of the command line"),
        );
        let without = array(&interfaces["exclude"]);
        if !without.is_empty() {
            line("  without", &without.join(", "));
        }
        line("hooks", interfaces["hooks"].as_str().unwrap_or_default());
        for rule in interfaces["for"].as_array().into_iter().flatten() {
            let hooks = rule["hooks"].as_str().unwrap_or_default();
            let names = array(&rule["names"]).join(", ");
            line("", &format!("{hooks} for {names}"));
        }
        line("prefixes", &listed(&array(&traffic["include"]), "all"));
        let without = array(&traffic["exclude"]);
        if !without.is_empty() {
            line("  without", &without.join(", "));
        }
        line("ports", &listed(&array(&traffic["ports"]), "all"));
        let without = array(&traffic["exclude_ports"]);
        if !without.is_empty() {
            line("  without", &without.join(", "));
        }
        match traffic["sample"].as_u64() {
            Some(number) if number > 1 => {
                line("sample", &format!("one connection in {number}"));
            }
            _ => line("sample", "every connection"),
        }
        for guard in ["blind", "time_wait"] {
            let is = self.guards[guard].as_str().unwrap_or_default();
            line(&format!("guard {guard}"), is);
        }
        if self.benign.is_empty() {
            line("benign", "no rule");
        }
        for rule in &self.benign {
            line("benign", &told(rule));
        }
        for note in &self.notes {
            line("note", note);
        }
        text
    }
}

/// A rule as an object; what it does not ask for is null.
fn rule(rule: &Benign) -> Value {
    let Benign {
        name,
        from,
        to,
        ports,
        endings,
        without_data,
    } = rule;
    json!({
        "name": name, "from": texts(from), "to": texts(to), "ports": ranges(ports),
        "endings": endings.names(), "without_data": without_data,
    })
}

/// A rule in words.
fn told(rule: &Value) -> String {
    let mut text = format!("{}:", rule["name"].as_str().unwrap_or_default());
    for key in ["from", "to", "ports", "endings"] {
        let list = rule[key].as_array().map(Vec::as_slice).unwrap_or_default();
        let words: Vec<_> = list.iter().filter_map(Value::as_str).collect();
        if !words.is_empty() {
            text.push_str(&format!(" {key} {}", words.join(", ")));
        }
    }
    match rule["without_data"].as_bool() {
        Some(true) => text.push_str(" without data"),
        Some(false) => text.push_str(" with data"),
        None => {}
    }
    text
}

/// A label and a text that goes on below itself.
fn paragraph(text: &mut String, label: &str, value: &str) {
    let mut line = format!("{label:<LABEL$}");
    let mut fresh = true;
    for word in value.split_whitespace() {
        if !fresh && line.chars().count() + 1 + word.chars().count() > COLUMNS {
            text.push_str(line.trim_end());
            text.push('\n');
            line = " ".repeat(LABEL);
            fresh = true;
        }
        if !fresh {
            line.push(' ');
        }
        line.push_str(word);
        fresh = false;
    }
    text.push_str(line.trim_end());
    text.push('\n');
}
