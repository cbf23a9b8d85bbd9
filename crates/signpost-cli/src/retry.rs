//! Retries a request: up to five times after growing random delays, and once immediately if S3 rejected the URL.

use std::time::Duration;

use crate::RandomSource;
use crate::operation_error::{OperationError, RetryAdvice};

const MAX_RETRIES: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(500);
const MAX_WAIT: Duration = Duration::from_secs(20);

/// If the server specifies a longer delay, the command does not wait.
const MAX_SERVER_WAIT: Duration = Duration::from_mins(5);

/// Repeats `attempt` until it succeeds or a retry cannot help. `attempt` receives the number of previous failures.
pub(crate) async fn with_retries<T>(
    random: RandomSource,
    mut attempt: impl AsyncFnMut(u32) -> Result<T, OperationError>,
) -> Result<T, OperationError> {
    let mut failures = 0;
    let mut may_renew_url = true;
    loop {
        let error = match attempt(failures).await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        match error.retry {
            RetryAdvice::Later(requested_delay)
                if failures < MAX_RETRIES
                    && requested_delay.is_none_or(|requested_delay| requested_delay <= MAX_SERVER_WAIT) =>
            {
                tokio::time::sleep(
                    backoff_delay(failures, random_fraction(random)).max(requested_delay.unwrap_or_default()),
                )
                .await;
            }
            RetryAdvice::NewUrl if may_renew_url => may_renew_url = false,
            RetryAdvice::Never | RetryAdvice::Later(_) | RetryAdvice::NewUrl => return Err(error),
        }
        failures += 1;
    }
}

/// [Full jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/): a random delay up to a
/// limit that doubles.
fn backoff_delay(failures: u32, fraction: f64) -> Duration {
    FIRST_WAIT
        .saturating_mul(2_u32.saturating_pow(failures))
        .min(MAX_WAIT)
        .mul_f64(fraction)
}

/// A random number from 0 to 1.
fn random_fraction(random: RandomSource) -> f64 {
    let mut bytes = [0; 4];
    // Without random numbers, the maximum delay is used.
    match random(&mut bytes) {
        Ok(()) => f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::exit_status::ExitStatus;

    async fn attempts(error: impl Fn(u32) -> OperationError) -> u32 {
        let made = Cell::new(0);
        let done: Result<(), _> = with_retries(
            |_| Ok(()),
            async |failures| {
                made.set(made.get() + 1);
                Err(error(failures))
            },
        )
        .await;
        assert!(done.is_err());
        made.get()
    }

    #[tokio::test]
    async fn each_kind_of_error_is_retried_the_right_number_of_times() {
        let failed = OperationError::new(ExitStatus::Failure, "no");
        assert_eq!(attempts(|_| failed.clone()).await, 1);
        assert_eq!(attempts(|_| OperationError::temporary("later")).await, 6);
        assert_eq!(attempts(|_| failed.clone().with_retry(RetryAdvice::NewUrl)).await, 2);
        let hour = RetryAdvice::Later(Some(Duration::from_hours(1)));
        assert_eq!(attempts(|_| failed.clone().with_retry(hour)).await, 1);
    }

    #[test]
    fn delays_double_up_to_a_limit_and_are_random() {
        let waits: Vec<_> = (0..7)
            .map(|failures| backoff_delay(failures, 1.0).as_millis())
            .collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16000, 20000]);
        assert_eq!(backoff_delay(3, 0.0), Duration::ZERO);
        assert_eq!(backoff_delay(u32::MAX, 0.5), Duration::from_secs(10));
    }
}
