//! Where the controller can be found.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The control socket, unless said otherwise.
pub const SOCKET: &str = "/run/termination/control.sock";

/// Environment variable that names another control socket.
pub const SOCKET_VARIABLE: &str = "TERMINATION_SOCKET";

/// Where everything is pinned (`--persist`), unless said otherwise.
pub const PINS: &str = "/sys/fs/bpf/termination";

/// The control socket: `given` (`--socket`), else [`SOCKET_VARIABLE`], else
/// [`SOCKET`].
pub fn socket(given: Option<&Path>) -> PathBuf {
    if let Some(path) = given {
        return path.to_path_buf();
    }
    match env::var_os(SOCKET_VARIABLE) {
        Some(path) if !path.is_empty() => path.into(),
        _ => SOCKET.into(),
    }
}

/// The file beside a control socket that holds the controller's pid and its
/// lock.
pub fn pid_file(socket: &Path) -> PathBuf {
    socket.with_extension("pid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_given_path_wins_and_the_pid_lies_beside_it() {
        let given = Path::new("/tmp/a/control.sock");
        assert_eq!(socket(Some(given)), given);
        assert_eq!(pid_file(given), Path::new("/tmp/a/control.pid"));
    }
}
