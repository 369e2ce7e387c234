//! Asking the controller.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

use super::{Halt, output::Output};
use crate::report::{Ask, Kind, Message, ParseError, Report};

/// A controller that says nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of an answer that are read at once.
const CHUNK: usize = 1 << 16;

/// In every line that says what could not be done.
const ERROR: &str = r#""type":"error""#;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    /// Nobody is there.
    #[error(
        "termination is not running (nothing listens at {}): start it with `termination run -i IFACE`",
        .0.display()
    )]
    NotRunning(PathBuf),
    /// Somebody else may ask.
    #[error("no permission to ask the controller at {}: run this as root", .0.display())]
    Permission(PathBuf),
    /// The socket is there and something else is wrong.
    #[error("cannot talk to the controller at {}: {error}", .path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It was silent.
    #[error(
        "the controller at {} has not answered for {} s: see its own terminal or log",
        .0.display(),
        PATIENCE.as_secs()
    )]
    Silent(PathBuf),
    /// It could not do what it was asked.
    #[error("{0}")]
    Refused(String),
    /// It answered something else.
    #[error(transparent)]
    Answer(#[from] ParseError),
    /// It hung up without a word.
    #[error("the controller at {} hung up without an answer: see its own terminal or log", .0.display())]
    Nothing(PathBuf),
}

/// An answer, line by line.
#[derive(Debug)]
pub(super) struct Answer {
    path: PathBuf,
    from: BufReader<UnixStream>,
    line: String,
}

/// Asks the controller behind `socket`.
///
/// # Errors
/// Nobody listens there, or the question cannot be sent.
pub(super) fn ask(socket: &Path, question: &Ask) -> Result<Answer, ClientError> {
    let path = socket.to_path_buf();
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            ClientError::NotRunning(socket.to_path_buf())
        }
        io::ErrorKind::PermissionDenied => ClientError::Permission(socket.to_path_buf()),
        _ => ClientError::Io {
            path: socket.to_path_buf(),
            error,
        },
    };
    let mut stream = UnixStream::connect(socket).map_err(failed)?;
    // Who follows events waits as long as it takes.
    let patience = match question {
        Ask::Events { follow: true, .. } => None,
        _ => Some(PATIENCE),
    };
    stream.set_read_timeout(patience).map_err(failed)?;
    let mut line =
        serde_json::to_string(question).map_err(|error| failed(io::Error::other(error)))?;
    line.push('\n');
    stream.write_all(line.as_bytes()).map_err(failed)?;
    Ok(Answer {
        path,
        from: BufReader::with_capacity(CHUNK, stream),
        line: String::new(),
    })
}

impl Answer {
    /// The next line without its end, or `None` when that was all.
    ///
    /// # Errors
    /// The connection breaks, or the line says that it could not be done.
    pub(super) fn line(&mut self) -> Result<Option<&str>, ClientError> {
        self.line.clear();
        match self.from.read_line(&mut self.line) {
            Ok(0) => return Ok(None),
            // It died in the middle of a line: half of one says nothing.
            Ok(_) if !self.line.ends_with('\n') => {
                return Err(ClientError::Nothing(self.path.clone()));
            }
            Ok(_) => {}
            Err(error) => return Err(self.broken(error)),
        }
        let line = self.line.trim_end();
        refusal(line)?;
        Ok(Some(line))
    }

    /// Why nothing can be read.
    fn broken(&self, error: io::Error) -> ClientError {
        let path = self.path.clone();
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ClientError::Silent(path),
            // It died, or was killed, in the middle of the answer.
            io::ErrorKind::ConnectionReset => ClientError::Nothing(path),
            _ => ClientError::Io { path, error },
        }
    }

    /// The next object, or `None` when that was all.
    ///
    /// # Errors
    /// As [`Answer::line`], or the line is no report.
    pub(super) fn report(&mut self) -> Result<Option<Report>, ClientError> {
        match self.line()? {
            Some(line) => Ok(Some(Report::parse(line)?)),
            None => Ok(None),
        }
    }

    /// The first object, which has to be there.
    ///
    /// # Errors
    /// As [`Answer::report`], or there is none.
    pub(super) fn only(&mut self) -> Result<Report, ClientError> {
        self.report()?
            .ok_or_else(|| ClientError::Nothing(self.path.clone()))
    }

    /// Hands all lines on as they are: those that came together in one write.
    ///
    /// # Errors
    /// As [`Answer::line`], and those of the output.
    pub(super) fn copy(&mut self, to: &mut Output) -> Result<(), Halt> {
        let mut block = vec![0; CHUNK];
        // Bytes at its start of a line whose end has yet to come.
        let mut held = 0;
        loop {
            let read = match self.from.read(&mut block[held..]) {
                // As above.
                Ok(0) if held > 0 => return Err(ClientError::Nothing(self.path.clone()).into()),
                Ok(0) => return to.flush(),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.broken(error).into()),
            };
            let fresh = &block[held..held + read];
            let end = fresh.iter().rposition(|&byte| byte == b'\n');
            let end = end.map_or(0, |at| held + at + 1);
            held += read;
            let lines = str::from_utf8(&block[..end])
                .map_err(|error| self.broken(io::Error::new(io::ErrorKind::InvalidData, error)))?;
            if lines.contains(ERROR) {
                for line in lines.lines() {
                    refusal(line)?;
                    to.write(line)?;
                    to.write("\n")?;
                }
            } else {
                to.write(lines)?;
            }
            to.flush()?;
            block.copy_within(end..held, 0);
            held -= end;
            if held == block.len() {
                block.resize(2 * held, 0);
            }
        }
    }

    /// Nothing more is here yet: the next read may wait.
    pub(super) fn is_drained(&self) -> bool {
        self.from.buffer().is_empty()
    }
}

/// An error if a line says that it could not be done. Hardly any does: those that
/// cannot are not parsed for it.
fn refusal(line: &str) -> Result<(), ClientError> {
    /// Enough to find it among the lines.
    #[derive(Deserialize)]
    struct Head {
        #[serde(rename = "type")]
        kind: String,
    }
    let failed = line.contains(ERROR)
        && serde_json::from_str::<Head>(line).is_ok_and(|head| head.kind == "error");
    if failed
        && let Report::Message(Message {
            kind: Kind::Error,
            message,
            ..
        }) = Report::parse(line)?
    {
        return Err(ClientError::Refused(message));
    }
    Ok(())
}
