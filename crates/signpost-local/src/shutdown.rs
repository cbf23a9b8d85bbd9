//! The signals that end the server: the first lets requests finish, the second does not.

use std::io;
use std::process;

use tokio::sync::watch;

/// What a shell says of a process that an interrupt has ended.
const INTERRUPTED: i32 = 130;

/// Becomes ready at the first signal, for everyone who holds a copy.
#[derive(Clone, Debug)]
pub(crate) struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Listens for the signals from now on.
    pub(crate) fn on_signals() -> io::Result<Self> {
        let mut signals = Signals::new()?;
        let (asked, receiver) = watch::channel(false);
        tokio::spawn(async move {
            signals.next().await;
            crate::log::line("signpost: finishing the requests at hand; once more ends at once");
            let _ = asked.send(true);
            signals.next().await;
            process::exit(INTERRUPTED);
        });
        Ok(Self(receiver))
    }

    /// Waits for the first signal.
    pub(crate) async fn requested(mut self) {
        let _ = self.0.wait_for(|asked| *asked).await;
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "on Unix it can fail")]
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
