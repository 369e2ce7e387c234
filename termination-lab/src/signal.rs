//! Cleaning up also when a signal ends the process.

use std::{
    io::{self, Read as _},
    os::fd::IntoRawFd as _,
    os::unix::net::UnixStream,
    sync::atomic::{AtomicI32, Ordering},
    thread,
};

use crate::{Result, error::Context as _};

/// Where the handler writes; a signal handler can be given nothing else.
static PIPE: AtomicI32 = AtomicI32::new(-1);

/// SIGINT, SIGTERM and SIGHUP from now on run `last_words` on a thread of its
/// own, with the number of the signal, and then end the process with 128 + that
/// number. To be called once.
///
/// Programs started later get the signals as ever: handlers do not survive
/// exec, and no signal is blocked.
///
/// # Errors
///
/// What the kernel answered.
pub fn on_interrupt(last_words: impl FnOnce(i32) + Send + 'static) -> Result<()> {
    let what = || "catch signals".to_owned();
    let (mut reader, writer) = UnixStream::pair().to(what)?;
    writer.set_nonblocking(true).to(what)?;
    PIPE.store(writer.into_raw_fd(), Ordering::Release);
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: all zeroes are a valid sigaction: no flags, an empty mask.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        // SAFETY: the handler does nothing but write(2), which a handler may.
        if unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error()).to(what);
        }
    }
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let mut signal = [0];
            if reader.read_exact(&mut signal).is_ok() {
                let signal = i32::from(signal[0]);
                last_words(signal);
                std::process::exit(128 + signal);
            }
        })
        .to(what)?;
    Ok(())
}

extern "C" fn handler(signal: libc::c_int) {
    let byte = [signal as u8];
    // SAFETY: write(2) may be called in a handler; the buffer lives. If the pipe
    // is full, the first byte in it is enough.
    unsafe { libc::write(PIPE.load(Ordering::Acquire), byte.as_ptr().cast(), 1) };
}

/// Asks the kernel to send SIGTERM to the program that `command` starts when
/// the thread that starts it ends, however it ends.
pub fn tie(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt as _;
    // SAFETY: prctl(2) is a plain system call, allowed between fork and exec.
    unsafe {
        command.pre_exec(|| {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) != 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(())
        });
    }
}

/// Sends `signal` to a child process that was not waited for yet.
pub fn send(child: &std::process::Child, signal: i32) {
    // SAFETY: a plain system call; the id is that of a child that was not
    // waited for, so nobody else has it. A child that is gone needs no signal.
    unsafe { libc::kill(child.id().cast_signed(), signal) };
}
