//! Answers over the unix socket: one line of JSON is a question
//! ([`crate::report::ask`]), JSON Lines until the end are its answer.
//!
//! Beside what [`Ask`] lists, a small one: `status` (what runs, one object).
//! `shutdown` is another word for `detach`. A follower that is too slow loses events
//! and is told so in their place: `{"schema":1,"type":"lost","count":3}`.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use termination_common::policy::Level;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Interest},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    task,
    time::{interval, timeout},
};

use super::waits;
use crate::control::{
    controller::{Controller, Stage},
    records::hub::Item,
    timers::clock,
};
use crate::report::{
    Ask, Connection, Filter, Guards, Kind, Lost, Message, SCHEMA, connection::State, line,
};

/// Longest question, bytes.
const LONGEST: u64 = 64 << 10;

/// Who does not ask within this time is hung up on.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a silent follower is looked at: has it gone?
const LOOK: Duration = Duration::from_secs(10);

/// Bytes of an answer that are sent at once.
const CHUNK: usize = 1 << 16;
/// Groups written before others get their turn.
const GROUPS: usize = 1024;

/// Slots walked before others get their turn.
const PIECE: u32 = 4096;

/// The listening socket; its file goes with it.
pub struct Listener {
    listener: UnixListener,
    path: PathBuf,
}

impl Listener {
    /// Listens at `path`, for root alone. Whoever calls this holds the
    /// instance lock, so that a file that is there is a dead controller's.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn bind(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // The mode has to be right from the first moment, so not by chmod.
        // SAFETY: umask only changes this process's mask; it has one thread
        // that makes files.
        let mask = unsafe { libc::umask(0o177) };
        let listener = UnixListener::bind(path);
        // SAFETY: as above.
        unsafe { libc::umask(mask) };
        Ok(Self {
            listener: listener?,
            path: path.to_path_buf(),
        })
    }

    /// The next one who asks.
    ///
    /// # Errors
    ///
    /// What accept(2) answered; EMFILE passes when others hang up.
    pub async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// What can be asked.
enum Request {
    Ask(Ask),
    Status,
}

impl Request {
    fn parse(line: &str) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Head {
            ask: String,
        }
        let head: Head = serde_json::from_str(line)?;
        Ok(match head.ask.as_str() {
            "status" => Self::Status,
            "shutdown" => Self::Ask(Ask::Detach),
            _ => Self::Ask(serde_json::from_str(line)?),
        })
    }
}

/// Where an answer goes.
struct Answer {
    to: OwnedWriteHalf,
    buffer: Vec<u8>,
}

impl Answer {
    /// Adds an object.
    fn push(&mut self, object: &impl Serialize) -> io::Result<()> {
        Ok(line::push(&mut self.buffer, object)?)
    }

    /// Sends what was added.
    async fn flush(&mut self) -> io::Result<()> {
        self.to.write_all(&self.buffer).await?;
        self.buffer.clear();
        Ok(())
    }
}

/// Answers one question and hangs up. Errors are told to who asked; those of
/// the connection itself concern nobody else.
pub async fn serve(controller: Rc<Controller>, stream: UnixStream) {
    let (from, to) = stream.into_split();
    let mut answer = Answer {
        to,
        buffer: Vec::new(),
    };
    let outcome = match timeout(PATIENCE, question(from)).await {
        Ok(Ok(line)) => respond(&controller, &line, &mut answer).await,
        Ok(Err(error)) => Err(error),
        Err(_) => return,
    };
    if let Err(error) = outcome {
        let message = Message::error(format!("{error:#}"));
        let _ = answer.push(&message);
        let _ = answer.flush().await;
    }
}

/// Reads the one line.
async fn question(from: OwnedReadHalf) -> anyhow::Result<String> {
    let mut line = String::new();
    BufReader::new(from.take(LONGEST))
        .read_line(&mut line)
        .await?;
    Ok(line)
}

async fn respond(controller: &Controller, line: &str, answer: &mut Answer) -> anyhow::Result<()> {
    let request = Request::parse(line).with_context(|| {
        format!(
            "cannot understand the question {}; it takes a line such as {{\"ask\":\"stats\"}}",
            line.trim_end()
        )
    })?;
    match request {
        Request::Ask(Ask::Stats) => answer.push(&controller.stats().await?)?,
        Request::Ask(Ask::Connections(filter)) => connections(controller, &filter, answer).await?,
        Request::Ask(Ask::TimeWait) => {
            let waiting = |connection: &Connection| connection.state == State::TimeWait;
            walk(controller, waiting, None, answer).await?;
        }
        Request::Ask(Ask::TimeWaits { limit, window }) => {
            let (waits, groups) = waits::groups(controller, limit, window).await?;
            answer.push(&waits)?;
            for (number, group) in groups.enumerate() {
                answer.push(&group)?;
                if number % GROUPS == GROUPS - 1 {
                    answer.flush().await?;
                    task::yield_now().await;
                }
            }
        }
        Request::Ask(Ask::Events {
            follow: true,
            count,
            recent,
        }) => {
            follow(controller, count, recent, answer).await?;
        }
        Request::Ask(Ask::Events {
            follow: false,
            count,
            ..
        }) => {
            let count = count.map_or(usize::MAX, |count| {
                usize::try_from(count).unwrap_or(usize::MAX)
            });
            answer.buffer = controller.recent(count);
        }
        Request::Ask(Ask::Guards { count }) => {
            let guards = controller.policy().guards;
            answer.push(&Guards::new(guards, &controller.counters()?))?;
            for rst in controller.guarded(usize::try_from(count).unwrap_or(usize::MAX)) {
                answer.push(&rst)?;
            }
        }
        Request::Ask(Ask::Reload) => answer.push(&Message::done(reload(controller)?))?,
        Request::Ask(Ask::Detach) => {
            detach(controller).await;
            answer.push(&Message::done(
                "detached; what lived has ended as `shutdown`",
            ))?;
        }
        Request::Status => answer.push(&controller.status())?,
    }
    answer.flush().await?;
    Ok(())
}

/// The policy file anew; a refusal is also for who watches the controller.
fn reload(controller: &Controller) -> anyhow::Result<String> {
    let done = controller.reload().context("the old policy stays");
    let said = match &done {
        Ok(done) => done.clone(),
        Err(error) => format!("{error:#}"),
    };
    // A closed stderr is no reason to stop observing.
    let _ = writeln!(io::stderr(), "termination: {said}");
    done
}

async fn connections(
    controller: &Controller,
    filter: &Filter,
    answer: &mut Answer,
) -> io::Result<()> {
    walk(
        controller,
        |connection| filter.matches(connection),
        filter.limit,
        answer,
    )
    .await
}

/// Every connection of the table that is `wanted`, at most `limit`, in the
/// order of the table. Each is consistent in itself; they are not of one
/// moment.
async fn walk(
    controller: &Controller,
    wanted: impl Fn(&Connection) -> bool,
    limit: Option<u64>,
    answer: &mut Answer,
) -> io::Result<()> {
    let table = &controller.loaded().table;
    let mut left = limit.unwrap_or(u64::MAX);
    let mut from = 0;
    while from < table.slots() && left > 0 {
        let to = from.saturating_add(PIECE);
        let (now, clock) = (clock::monotonic()?, controller.clock());
        let timers = controller.policy().timers;
        for index in table.occupied_from(from, to) {
            let Some(slot) = table.slot(index) else {
                continue;
            };
            let epoch = controller.loaded().epoch;
            let connection = Connection::from_slot(&slot, index, epoch, &clock, now, &timers);
            let connection = match controller.facts().level {
                Level::Full => connection,
                Level::Closing => connection.map(|connection| connection.at_closing(&slot)),
            };
            if let Some(connection) = connection.filter(&wanted) {
                answer.push(&connection)?;
                left -= 1;
                if left == 0 {
                    break;
                }
            }
        }
        answer.flush().await?;
        task::yield_now().await;
        from = to;
    }
    Ok(())
}

/// Hands on what happens (after what is remembered, if `recent`) until it is
/// `count`, who asked has gone, or the controller stops.
async fn follow(
    controller: &Controller,
    count: Option<u64>,
    recent: bool,
    answer: &mut Answer,
) -> io::Result<()> {
    // In one moment, so that nothing is missing in between, or twice.
    let mut queue = controller.hub.borrow_mut().subscribe(recent);
    let mut left = count.unwrap_or(u64::MAX);
    if recent {
        for (number, line) in controller.numbered() {
            if left == 0 {
                break;
            }
            answer.buffer.extend_from_slice(&line);
            left -= 1;
            if answer.buffer.len() >= CHUNK {
                answer.flush().await?;
                queue.arrived_up_to(number);
            }
        }
        answer.flush().await?;
        queue.arrived();
    }
    let mut look = interval(LOOK);
    while left > 0 {
        let item = tokio::select! {
            item = queue.next() => item,
            _ = look.tick() => {
                if answer.to.ready(Interest::WRITABLE).await?.is_write_closed() {
                    return Ok(());
                }
                continue;
            }
        };
        match item {
            Some(Item::Lines(lines)) => {
                answer.to.write_all(lines.first(left)).await?;
                left = left.saturating_sub(lines.count);
            }
            Some(Item::Lost(count)) => {
                answer.push(&Lost {
                    schema: SCHEMA,
                    kind: Kind::Lost,
                    count,
                })?;
                answer.flush().await?;
            }
            None => return Ok(()),
        }
        queue.arrived();
    }
    Ok(())
}

/// Asks the event loop to stop, and waits until it has.
async fn detach(controller: &Controller) {
    let mut stage = controller.stage.subscribe();
    controller.stage.send_if_modified(|stage| {
        let running = *stage == Stage::Running;
        if running {
            *stage = Stage::Stopping;
        }
        running
    });
    // The sender lives as long as the controller does.
    let _ = stage.wait_for(|stage| *stage == Stage::Stopped).await;
}
