//! Passes the cause of an internal error to the log, because `s3s` discards it.
//!
//! The log of `s3s` is disabled: it logs every rejection as an error, and it logs signatures at debug level.

use std::cell::RefCell;
use std::error::Error;
use std::fmt::Write;

use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

tokio::task_local! {
    static CAUSE: RefCell<Option<String>>;
}

/// Runs a request without the log of `s3s`. Returns its result and the cause passed to [`report_cause`].
pub(crate) async fn capture_cause<T>(request: impl Future<Output = T>) -> (T, Option<String>) {
    CAUSE
        .scope(RefCell::new(None), async {
            let result = request.with_subscriber(NoSubscriber::default()).await;
            (result, CAUSE.with(RefCell::take))
        })
        .await
}

/// Stores the cause of the current request's failure.
pub(crate) fn report_cause(error: &dyn Error) {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    let _ = CAUSE.try_with(|cause| cause.replace(Some(text)));
}
