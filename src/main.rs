//! The Lambda function.

use std::process::ExitCode;

use signpost::lambda;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    lambda::run().await
}
