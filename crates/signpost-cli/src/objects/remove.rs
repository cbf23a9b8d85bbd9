//! `signpost rm`.

use reqwest::Method;

use super::{Session, each, objects};
use crate::console::Outcome;
use crate::context::Context;
use crate::options::Connection;
use crate::place::Place;
use crate::problem::Problem;
use crate::progress::Mode;
use crate::report::Ending;
use crate::service::Wish;

pub(super) async fn remove(
    texts: &[String],
    connection: &Connection,
    context: &mut Context<'_, '_>,
) -> Result<Ending, Problem> {
    let places = objects(texts, connection, context)?;
    let session = Session::open(&places, connection, Mode::None, context)?;
    let delete = async |place: &Place| {
        let outcome = Outcome::of("rm", place.url());
        match delete(&session, place).await {
            Ok(()) => {
                session.console.done(outcome, "");
                Ending::Done
            }
            Err(problem) => session
                .console
                .failed(outcome, &format!("can't delete {place}"), &problem),
        }
    };
    Ok(each(&places, delete).await)
}

async fn delete(session: &Session, place: &Place) -> Result<(), Problem> {
    session
        .persist(async |_| {
            let wish = Wish {
                method: Method::DELETE,
                place: place.clone(),
                query: Vec::new(),
            };
            let instruction = session.service.instruction(wish).await?;
            session.store.send(&instruction, &[]).await?;
            Ok(())
        })
        .await
}
