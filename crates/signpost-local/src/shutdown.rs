//! The signals that stop the server: after the first, open requests finish; the second stops it immediately.

use std::io;
use std::process;

use tokio::sync::watch;

/// The exit code that shells use for a process that was stopped by an interrupt.
const INTERRUPT_EXIT_CODE: i32 = 130;

/// Completes in every clone when the first signal arrives.
#[derive(Clone, Debug)]
pub(crate) struct ShutdownSignal(watch::Receiver<bool>);

impl ShutdownSignal {
    /// Starts to listen for the signals.
    pub(crate) fn on_signals() -> io::Result<Self> {
        let mut signals = ProcessSignals::new()?;
        let (requested, receiver) = watch::channel(false);
        tokio::spawn(async move {
            signals.next().await;
            crate::logging::print_line(
                "signpost: shutting down after the open requests finish; send the signal again to stop immediately",
            );
            let _ = requested.send(true);
            signals.next().await;
            process::exit(INTERRUPT_EXIT_CODE);
        });
        Ok(Self(receiver))
    }

    /// Waits for the first signal.
    pub(crate) async fn requested(mut self) {
        let _ = self.0.wait_for(|requested| *requested).await;
    }
}

#[cfg(unix)]
struct ProcessSignals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl ProcessSignals {
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
struct ProcessSignals;

#[cfg(not(unix))]
impl ProcessSignals {
    #[expect(clippy::unnecessary_wraps, reason = "on Unix it can fail")]
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
