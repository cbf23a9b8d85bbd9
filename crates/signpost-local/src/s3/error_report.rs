//! Passes facts about an error around `s3s`: the cause to the log, and further elements to the error document.
//!
//! The log of `s3s` is disabled: it logs every rejection as an error, and it logs signatures at debug level. Its error
//! type has no place for elements such as `Condition`.

use std::cell::RefCell;
use std::error::Error;
use std::fmt::Write;

use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

/// The facts about the error of one request.
#[derive(Debug, Default)]
pub(crate) struct ErrorReport {
    /// The cause of an internal error.
    pub(crate) cause: Option<String>,
    /// Further elements of the error document.
    pub(crate) details: Vec<(&'static str, String)>,
}

tokio::task_local! {
    static REPORT: RefCell<ErrorReport>;
}

/// Runs a request without the log of `s3s`. Returns its result and the reported facts.
pub(crate) async fn capture_report<T>(request: impl Future<Output = T>) -> (T, ErrorReport) {
    REPORT
        .scope(RefCell::default(), async {
            let result = request.with_subscriber(NoSubscriber::default()).await;
            (result, REPORT.with(RefCell::take))
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
    let _ = REPORT.try_with(|report| report.borrow_mut().cause = Some(text));
}

/// Adds elements to the error document of the current request.
pub(crate) fn report_details(details: impl IntoIterator<Item = (&'static str, String)>) {
    let _ = REPORT.try_with(|report| report.borrow_mut().details.extend(details));
}
