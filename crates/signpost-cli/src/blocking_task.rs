//! Runs blocking work beside the asynchronous transfers.

/// Runs a function on a blocking thread.
pub(crate) async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work)
        .await
        .expect("the function does not panic")
}
