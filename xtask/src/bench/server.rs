//! A real server, observed by one program after the other: nginx, one request
//! per connection, wrk in another network namespace. How many requests a second
//! and what a request takes of all processors, beside the same with nothing
//! attached, in turns; and how many endings each observer missed.

mod observers;
mod web;

use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use termination_lab::{Pair, kernel::Counters};

use self::{
    observers::{Kind, Observer},
    web::{Web, busy},
};
use super::{contestant, kernel::Programs, measure::spread};

/// How often, how long.
#[derive(Args)]
pub(crate) struct Options {
    /// Rounds: in each, every observer has a turn, and so has none
    #[arg(long, value_name = "N")]
    pairs: Option<u32>,
    /// Seconds of each turn
    #[arg(long, default_value_t = 3, value_name = "N")]
    seconds: u64,
    /// Only these: empty, empty-xdp, floor, floor-xdp, termination, xdp, closing,
    /// tcplife, tcpstates, conntrack, tcpdump
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    only: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            pairs: None,
            seconds: 3,
            only: Vec::new(),
        }
    }
}

/// One turn.
#[derive(Clone, Copy, Debug)]
struct Turn {
    rate: f64,
    /// Of all processors, for a request.
    cpu: Duration,
    /// Connections that the server's kernel accepted.
    connections: u64,
    /// Endings that the observer told.
    told: Option<u64>,
    /// Of the observer's own processes, for a connection.
    own: Option<Duration>,
}

/// Someone's turns, each beside one without any observer.
struct Column {
    kind: Kind,
    turns: Vec<(Turn, Turn)>,
}

/// Measures and prints.
///
/// # Errors
///
/// When a program is missing or fails.
pub(super) fn run(options: &Options, programs: &Programs, quick: bool) -> Result<Value> {
    let absent = contestant::install(&[
        ("nginx", "nginx"),
        ("wrk", "wrk"),
        ("tcplife", "libbpf-tools"),
        ("nft", "nftables"),
        ("conntrack", "conntrack"),
        ("tcpdump", "tcpdump"),
    ]);
    // An observer that is missing cannot be started, and is left out.
    if let Some(name) = absent.iter().find(|name| ["nginx", "wrk"].contains(name)) {
        println!("left out: server: there is no {name}\n");
        return Ok(json!({ "left_out": format!("there is no {name}") }));
    }
    let pairs = options.pairs.unwrap_or(if quick { 1 } else { 4 });
    let time = Duration::from_secs(options.seconds);
    let mut columns: Vec<_> = Kind::ALL
        .into_iter()
        .filter(|kind| {
            let named = |name: &String| name == kind.name();
            options.only.is_empty() || options.only.iter().any(named)
        })
        .map(|kind| Column {
            kind,
            turns: Vec::new(),
        })
        .collect();
    if columns.is_empty() {
        bail!("--only names nobody; see `cargo xtask bench server --help`");
    }
    let pair = Pair::new()?;
    let web = Web::start(&pair)?;
    // Caches, and the memory of sockets.
    web.load(&pair, Duration::from_secs(1))?;
    let mut left_out = Vec::new();
    for round in 1..=pairs {
        eprintln!("bench: server, round {round} of {pairs}");
        for column in &mut columns {
            let bare = turn(&pair, &web, None, time)?;
            let observer = match Observer::start(column.kind, &pair, web.port, programs) {
                Ok(observer) => observer,
                Err(error) if round == 1 => {
                    left_out.push((column.kind.name(), format!("{error:#}")));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let observed = turn(&pair, &web, Some(observer), time)?;
            column.turns.push((bare, observed));
        }
        columns.retain(|column| !column.turns.is_empty());
    }
    print(&columns, pairs, options.seconds);
    for (name, why) in &left_out {
        println!("left out: {name}: {why}");
    }
    println!();
    let left_out: Vec<_> = left_out
        .into_iter()
        .map(|(name, why)| json!({ "observer": name, "why": why }))
        .collect();
    let columns: Vec<_> = columns.iter().map(Column::to_json).collect();
    Ok(json!({
        "pairs": pairs,
        "seconds": options.seconds,
        "observers": columns,
        "left_out": left_out,
    }))
}

fn turn(pair: &Pair, web: &Web, observer: Option<Observer<'_>>, time: Duration) -> Result<Turn> {
    let namespace = &pair.server.namespace;
    let idle = observer.as_ref().map(Observer::used).transpose()?;
    let before = Counters::read(namespace)?;
    let used = busy()?;
    let load = web.load(pair, time)?;
    let used = busy()? - used;
    let after = Counters::read(namespace)?;
    let connections = u64::try_from(after.since(&before, "Tcp.PassiveOpens"))?;
    let finished = observer.map(|observer| observer.finish(connections));
    let (told, own) = finished.transpose()?.unzip();
    let own = own.zip(idle).map(|(own, idle)| own - idle);
    Ok(Turn {
        rate: load.rate,
        cpu: used.div_f64(load.requests as f64),
        connections,
        told: told.flatten(),
        own: own.map(|own| own.div_f64(connections as f64)),
    })
}

impl Column {
    /// A figure beside the same without observer.
    fn ratio(&self, figure: impl Fn(&Turn) -> f64) -> (f64, f64, f64) {
        let ratios = self.turns.iter();
        spread(ratios.map(|(bare, observed)| 100.0 * figure(bare) / figure(observed)))
    }

    fn to_json(&self) -> Value {
        let turn = |turn: &Turn| {
            json!({
                "requests_per_second": turn.rate,
                "cpu_seconds_per_request": turn.cpu.as_secs_f64(),
                "connections": turn.connections,
                "endings_told": turn.told,
                "observer_cpu_seconds_per_connection": turn.own.map(|own| own.as_secs_f64()),
            })
        };
        let turns = self.turns.iter();
        let turns: Vec<_> = turns
            .map(|(bare, observed)| json!({ "bare": turn(bare), "observed": turn(observed) }))
            .collect();
        json!({ "observer": self.kind.name(), "turns": turns })
    }
}

fn print(columns: &[Column], pairs: u32, seconds: u64) {
    println!(
        "nginx, one request per connection: turns of {seconds} s each ({pairs}), beside as many"
    );
    println!("without observer. As % of what is without: the rate, and requests per processor");
    println!("time of the whole machine; median (least-most). Own: processor time of the");
    println!("observer's own processes, for a connection. Lost: endings not told, %\n");
    println!(
        "{:<12} {:>7} {:>7} {:>16} {:>16} {:>7} {:>7}",
        "", "req/s", "CPU us", "rate %", "per CPU time %", "own us", "lost %"
    );
    let bare = columns.iter().flat_map(|column| &column.turns);
    let bare: Vec<_> = bare.map(|(bare, _)| *bare).collect();
    let micro = |turn: &Turn| turn.cpu.as_secs_f64() * 1e6;
    println!(
        "{:<12} {:>7.0} {:>7.1}",
        "nothing",
        spread(bare.iter().map(|turn| turn.rate)).0,
        spread(bare.iter().map(micro)).0,
    );
    for column in columns {
        let range =
            |(median, least, most): (f64, f64, f64)| format!("{median:.1} ({least:.0}-{most:.0})");
        // Turned about: the rate is better the higher, the time the lower.
        let rate = column.ratio(|turn| 1.0 / turn.rate);
        let cpu = column.ratio(|turn| turn.cpu.as_secs_f64());
        let observed = || column.turns.iter().map(|(_, observed)| observed);
        let lost: Vec<_> = observed()
            .filter_map(|turn| {
                let told = turn.told? as f64;
                Some(100.0 * (1.0 - told / turn.connections as f64))
            })
            .collect();
        let lost = if lost.is_empty() {
            "-".to_owned()
        } else {
            format!("{:.2}", spread(lost.into_iter()).0)
        };
        println!(
            "{:<12} {:>7.0} {:>7.1} {:>16} {:>16} {:>7.1} {lost:>7}",
            column.kind.name(),
            spread(observed().map(|turn| turn.rate)).0,
            spread(observed().map(micro)).0,
            range(rate),
            range(cpu),
            spread(observed().filter_map(|turn| Some(turn.own?.as_secs_f64() * 1e6))).0,
        );
    }
}
