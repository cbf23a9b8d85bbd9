//! `signpost rm`.

use reqwest::Method;

use super::{Session, objects, worst};
use crate::System;
use crate::console::Outcome;
use crate::options::Connection;
use crate::place::Place;
use crate::problem::Problem;
use crate::report::Ending;

pub(super) async fn remove(
    texts: &[String],
    connection: &Connection,
    system: &mut System<'_>,
) -> Result<Ending, Problem> {
    let places = objects(texts, system)?;
    let session = Session::open(&places, connection, system)?;
    let mut endings = Vec::new();
    for place in &places {
        let outcome = Outcome::of("rm", place.url());
        endings.push(match delete(&session, place).await {
            Ok(()) => {
                session.console.done(outcome, "");
                Ending::Done
            }
            Err(problem) => session
                .console
                .failed(outcome, &format!("can't delete {place}"), &problem),
        });
    }
    Ok(worst(endings))
}

async fn delete(session: &Session, place: &Place) -> Result<(), Problem> {
    session
        .persist(async |_| {
            let instruction = session.service.instruction(Method::DELETE, place, &Vec::new()).await?;
            session.store.send(&instruction, &[]).await?;
            Ok(())
        })
        .await
}
