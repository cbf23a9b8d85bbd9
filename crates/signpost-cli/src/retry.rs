//! When to try again: five times, after random waits that grow, and once at once where a URL was refused.

use std::time::Duration;

use crate::Random;
use crate::problem::{Problem, Retry};

const RETRIES: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// A server that asks for more than this is not waited for.
const PATIENCE: Duration = Duration::from_mins(5);

/// Repeats `attempt`, which is told how often it has failed before, until it succeeds or that is hopeless.
pub(crate) async fn persist<T>(
    random: Random,
    mut attempt: impl AsyncFnMut(u32) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let mut failures = 0;
    let mut may_ask_again = true;
    loop {
        let problem = match attempt(failures).await {
            Ok(done) => return Ok(done),
            Err(problem) => problem,
        };
        match problem.retry {
            Retry::Later(asked) if failures < RETRIES && asked.is_none_or(|asked| asked <= PATIENCE) => {
                tokio::time::sleep(wait(failures, fraction(random)).max(asked.unwrap_or_default())).await;
            }
            Retry::FreshUrl if may_ask_again => may_ask_again = false,
            Retry::Never | Retry::Later(_) | Retry::FreshUrl => return Err(problem),
        }
        failures += 1;
    }
}

/// [Full jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/): anything up to a bound
/// that doubles.
fn wait(failures: u32, fraction: f64) -> Duration {
    FIRST_WAIT
        .saturating_mul(2_u32.saturating_pow(failures))
        .min(LONGEST_WAIT)
        .mul_f64(fraction)
}

/// A number from 0 to 1.
fn fraction(random: Random) -> f64 {
    let mut bytes = [0; 4];
    // Without randomness the wait is the longest one.
    match random(&mut bytes) {
        Ok(()) => f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::report::Ending;

    async fn attempts(problem: impl Fn(u32) -> Problem) -> u32 {
        let made = Cell::new(0);
        let done: Result<(), _> = persist(
            |_| Ok(()),
            async |failures| {
                made.set(made.get() + 1);
                Err(problem(failures))
            },
        )
        .await;
        assert!(done.is_err());
        made.get()
    }

    #[tokio::test]
    async fn each_kind_of_problem_is_tried_as_often_as_it_deserves() {
        let failed = Problem::new(Ending::Failed, "no");
        assert_eq!(attempts(|_| failed.clone()).await, 1);
        assert_eq!(attempts(|_| Problem::temporary("later")).await, 6);
        assert_eq!(attempts(|_| failed.clone().retrying(Retry::FreshUrl)).await, 2);
        let hour = Retry::Later(Some(Duration::from_hours(1)));
        assert_eq!(attempts(|_| failed.clone().retrying(hour)).await, 1);
    }

    #[test]
    fn waits_double_up_to_a_bound_and_are_cut_at_random() {
        let waits: Vec<_> = (0..7).map(|failures| wait(failures, 1.0).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16000, 20000]);
        assert_eq!(wait(3, 0.0), Duration::ZERO);
        assert_eq!(wait(u32::MAX, 0.5), Duration::from_secs(10));
    }
}
