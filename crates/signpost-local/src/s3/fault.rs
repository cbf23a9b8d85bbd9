//! Carries the cause of an internal error past `s3s`, which drops it, to the one line that logs it.
//!
//! The crate's own log is silenced while it works: it tells every refusal as an error, and at debug level it
//! prints signatures.

use std::cell::RefCell;
use std::error::Error;
use std::fmt::Write;

use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

tokio::task_local! {
    static CAUSE: RefCell<Option<String>>;
}

/// Runs a request in silence, and tells with its answer the cause that [`report`] was given.
pub(crate) async fn scope<T>(request: impl Future<Output = T>) -> (T, Option<String>) {
    CAUSE
        .scope(RefCell::new(None), async {
            let answer = request.with_subscriber(NoSubscriber::default()).await;
            (answer, CAUSE.with(RefCell::take))
        })
        .await
}

/// Notes why the request at hand fails.
pub(crate) fn report(error: &dyn Error) {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    let _ = CAUSE.try_with(|cause| cause.replace(Some(text)));
}
