//! A network namespace: made, entered, removed.

use std::{
    collections::BTreeSet,
    ffi::CString,
    fmt,
    fs::{self, File},
    io::Write as _,
    os::fd::AsRawFd as _,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use crate::{Error, Result, error::Context as _};

/// Where `ip netns`, `nsenter` and `termination run --netns` look for names.
const DIRECTORY: &str = "/run/netns";

/// The namespaces of this process that are not removed yet.
///
/// Who removes one holds the lock meanwhile: so a process that ends while
/// another thread cleans up waits for that.
static MADE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A network namespace of its own, with a name under `/run/netns` and with its
/// loopback up. Goes away with this value, and with it the interfaces in it.
pub struct Namespace {
    name: String,
    path: PathBuf,
    file: File,
}

impl Namespace {
    /// Makes one. Its name begins with `role` and is unique on this host.
    ///
    /// # Errors
    ///
    /// Most likely [`Error::System`] for want of `CAP_SYS_ADMIN`.
    pub fn new(role: &str) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{role}-{}-{number}", process::id());
        let path = Path::new(DIRECTORY).join(&name);

        let mut made = made();
        prepare_directory()?;
        // Registered before it is there: what fails half-way is removed, too.
        made.insert(path.clone());
        let file = make(&path).inspect_err(|_| {
            remove(&path);
            made.remove(&path);
        })?;
        drop(made);

        let namespace = Self { name, path, file };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// Its name under `/run/netns`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `work` in this namespace, on a thread that ends with it. Sockets
    /// made there stay in the namespace, whoever uses them later; programs
    /// started there run in it.
    ///
    /// # Errors
    ///
    /// [`Error::System`] when the thread cannot enter; then `work` was not run.
    ///
    /// # Panics
    ///
    /// When `work` does.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                // SAFETY: a plain system call on an open descriptor; it moves
                // this thread alone.
                if unsafe { libc::setns(self.file.as_raw_fd(), libc::CLONE_NEWNET) } != 0 {
                    return Err(Error::last(format!(
                        "enter network namespace {}",
                        self.name
                    )));
                }
                Ok(work())
            });
            match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Gives `ip` these commands, one a line, in this namespace.
    ///
    /// # Errors
    ///
    /// [`Error::Ip`] with what it said, or [`Error::System`] where there is no
    /// `ip`.
    pub fn ip(&self, batch: &str) -> Result<()> {
        self.ask_ip(batch).map(drop)
    }

    /// The same; returns what `ip` has to say.
    pub(crate) fn ask_ip(&self, batch: &str) -> Result<String> {
        let output = self.enter(|| {
            let mut ip = Command::new("ip")
                .args(["-batch", "-"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()?;
            if let Some(mut input) = ip.stdin.take() {
                input.write_all(batch.as_bytes())?;
            }
            ip.wait_with_output()
        })?;
        let output = output.to(|| "run `ip` (package iproute2)".to_owned())?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(Error::Ip {
            namespace: self.name.clone(),
            batch: batch.to_owned(),
            output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    /// Writes a kernel parameter of this namespace; `key` as sysctl(8) names
    /// it, as in `net.ipv4.tcp_fin_timeout`.
    ///
    /// # Errors
    ///
    /// [`Error::System`] where there is no such parameter.
    pub fn set_sysctl(&self, key: &str, value: impl fmt::Display) -> Result<()> {
        // /proc/sys/net is that of the thread that opens it.
        let path = Path::new("/proc/sys").join(key.replace('.', "/"));
        let value = value.to_string();
        self.enter(|| fs::write(&path, &value))?
            .to(|| format!("set {key} in network namespace {}", self.name))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let mut made = made();
        if made.remove(&self.path) {
            remove(&self.path);
        }
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Namespace").field(&self.name).finish()
    }
}

/// Removes every namespace that this process made, for the way out after a
/// signal: other threads can make or remove none until `and_then` returns,
/// which best ends the process.
pub fn cleanup<T>(and_then: impl FnOnce() -> T) -> T {
    let mut made = made();
    for path in std::mem::take(&mut *made) {
        remove(&path);
    }
    and_then()
}

fn made() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    // A set of paths is whole after a panic, too.
    MADE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes a namespace and mounts it at `path`.
fn make(path: &Path) -> Result<File> {
    File::create_new(path).to(|| format!("create {}", path.display()))?;
    let work = || {
        // SAFETY: a plain system call; it moves this thread alone.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
            return Err(Error::last("make a network namespace"));
        }
        mount("/proc/thread-self/ns/net".as_ref(), path, libc::MS_BIND)
            .to(|| format!("mount a network namespace at {}", path.display()))
    };
    thread::scope(|scope| match scope.spawn(work).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })?;
    File::open(path).to(|| format!("open {}", path.display()))
}

/// Makes the directory a shared mount, as ip-netns(8) does. Were it none when
/// `ip netns add` first runs, that would mount it over itself, and copies of our
/// mounts would stay beneath.
fn prepare_directory() -> Result<()> {
    let directory = Path::new(DIRECTORY);
    let problem = || format!("prepare {DIRECTORY}");
    fs::create_dir_all(directory).to(problem)?;
    // `ip` takes the same lock.
    let lock = File::open(directory).to(problem)?;
    lock.lock().to(problem)?;
    let share = || mount("".as_ref(), directory, libc::MS_SHARED | libc::MS_REC);
    match share() {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            mount(directory, directory, libc::MS_BIND | libc::MS_REC).to(problem)?;
            share().to(problem)
        }
        result => result.to(problem),
    }
}

fn mount(source: &Path, target: &Path, flags: libc::c_ulong) -> std::io::Result<()> {
    let source = CString::new(source.as_os_str().as_bytes())?;
    let target = CString::new(target.as_os_str().as_bytes())?;
    // SAFETY: three C strings, and no data.
    let result = unsafe {
        libc::mount(
            source.as_ptr(),
            target.as_ptr(),
            c"none".as_ptr(),
            flags,
            std::ptr::null(),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error())
    }
}

/// Removes the name. The namespace itself goes when the last socket in it does.
fn remove(path: &Path) {
    if let Ok(text) = CString::new(path.as_os_str().as_bytes()) {
        // SAFETY: a C string. Where nothing is mounted the call fails, and
        // nothing had to be done.
        unsafe { libc::umount2(text.as_ptr(), libc::MNT_DETACH) };
    }
    // There is nobody to tell, and nothing else to try.
    let _ = fs::remove_file(path);
}
