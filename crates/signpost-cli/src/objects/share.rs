//! `signpost share`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Session, places};
use crate::console::Outcome;
use crate::context::Context;
use crate::options::ShareOptions;
use crate::place::Place;
use crate::problem::Problem;
use crate::progress::Mode;
use crate::report::Ending;
use crate::service::no_signpost;

/// What the service says of a link.
#[derive(Deserialize)]
struct Shared {
    url: String,
    id: String,
    methods: Vec<String>,
    expires_at: String,
    uses: Option<u32>,
}

pub(super) async fn share(options: &ShareOptions, context: &mut Context<'_, '_>) -> Result<Ending, Problem> {
    let places = places(std::slice::from_ref(&options.place), &options.connection, context)?;
    let session = Session::open(&places, &options.connection, Mode::None, context)?;
    let place = &places[0];
    let outcome = Outcome::of("share", place.url());
    Ok(match ask(&session, place, options).await {
        Ok(shared) => {
            let outcome = outcome
                .with("link", shared.url.clone())
                .with("id", shared.id)
                .with("methods", shared.methods)
                .with("expires_at", shared.expires_at);
            let outcome = match shared.uses {
                Some(uses) => outcome.with("uses", uses),
                None => outcome,
            };
            session.console.done(outcome, &shared.url);
            Ending::Done
        }
        Err(problem) => session
            .console
            .failed(outcome, &format!("can't share {place}"), &problem),
    })
}

async fn ask(session: &Session, place: &Place, options: &ShareOptions) -> Result<Shared, Problem> {
    let base = session.persist(async |_| session.service.base(place).await).await?;
    let key = place
        .key(&base)
        .ok_or_else(|| Problem::usage("everything can't be shared, but a prefix can"))?;
    let mut body = if place.is_prefix() {
        json!({"prefix": key})
    } else {
        json!({"key": key})
    };
    let mut add = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body[name] = value;
        }
    };
    add("expires", options.expires.clone().map(Value::from));
    add(
        "methods",
        (!options.methods.is_empty()).then(|| options.methods.clone().into()),
    );
    add("max_bytes", options.max_bytes.map(Value::from));
    add("uses", options.uses.map(Value::from));
    let answer = session
        .persist(async |_| session.service.post(&base, "/-/share", &body).await)
        .await?;
    serde_json::from_slice(&answer).map_err(|_| no_signpost(place))
}
