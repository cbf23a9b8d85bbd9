//! The commands for objects: what is common to them, and one module for each.

mod download;
mod get;
mod put;
mod remove;
mod stat;
mod upload;

use std::path::Path;

use reqwest::header::HeaderMap;

use crate::console::Console;
use crate::credential::Credential;
use crate::options::{Connection, ObjectCommand};
use crate::place::Place;
use crate::problem::Problem;
use crate::report::{Ending, Error, Report};
use crate::retry;
use crate::service::Service;
use crate::store::Store;
use crate::{Random, System, http};

/// Both hops, and the console.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) service: Service,
    pub(crate) store: Store,
    pub(crate) console: Console,
    random: Random,
}

/// Does a command for objects, until it is done or the user has enough of it.
pub(crate) fn run(command: &ObjectCommand, system: &mut System<'_>) -> Result<Report, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Problem::io("can't start", &error))?;
    let ended = runtime.block_on(async {
        tokio::select! {
            ended = dispatch(command, system) => ended,
            _ = tokio::signal::ctrl_c() => Ok(Ending::Interrupted),
        }
    });
    // Whatever still runs (a read of standard input, say) has nothing to say any more.
    runtime.shutdown_background();
    Ok(Report::ended(ended?))
}

async fn dispatch(command: &ObjectCommand, system: &mut System<'_>) -> Result<Ending, Problem> {
    match command {
        ObjectCommand::Get(options) => get::get(options, system).await,
        ObjectCommand::Put(options) => put::put(options, system).await,
        ObjectCommand::Cat { objects, connection } => get::cat(objects, connection, system).await,
        ObjectCommand::Rm { objects, connection } => remove::remove(objects, connection, system).await,
        ObjectCommand::Stat { objects, connection } => stat::stat(objects, connection, system).await,
    }
}

impl Session {
    /// A session for these places, which must be at one service: a token is for one.
    fn open(places: &[Place], connection: &Connection, system: &mut System<'_>) -> Result<Self, Problem> {
        let Some(origin) = places.first().map(Place::origin) else {
            return Err(Problem::usage("nothing is named"));
        };
        if places.iter().any(|place| place.origin() != origin) {
            return Err(Problem::usage(
                "the objects are at different services; run the command for each",
            ));
        }
        let credential = Credential::find(connection.token_file.as_deref(), origin, system)?;
        let client = http::client()?;
        Ok(Self {
            service: Service::new(client.clone(), credential),
            store: Store::new(client),
            console: Console::new(connection.json),
            random: system.random,
        })
    }

    /// Repeats what fails for reasons that pass.
    pub(crate) async fn persist<T>(&self, attempt: impl AsyncFnMut(u32) -> Result<T, Problem>) -> Result<T, Problem> {
        retry::persist(self.random, attempt).await
    }

    /// The metadata of an object, with its checksum.
    pub(crate) async fn head(&self, place: &Place) -> Result<HeaderMap, Problem> {
        let wanted = vec![checksum_mode()];
        self.persist(async |_| {
            let url = self.service.head(place, &wanted).await?;
            Ok(self.store.head(&url).await?.headers().clone())
        })
        .await
    }
}

/// Asks S3 to tell the checksum that it keeps.
fn checksum_mode() -> (String, String) {
    ("x-amz-checksum-mode".to_owned(), "ENABLED".to_owned())
}

/// The places of objects, and not of prefixes.
fn objects(texts: &[String], system: &System<'_>) -> Result<Vec<Place>, Problem> {
    let base = (system.variable)("SIGNPOST_URL");
    texts
        .iter()
        .map(|text| {
            let place = Place::parse(text, base.as_deref())?;
            if place.is_prefix() {
                return Err(Problem::usage(format!(
                    "{place} ends in a slash, so it names no object"
                )));
            }
            Ok(place)
        })
        .collect()
}

/// The first failure decides how the command ends; the others are told, too.
fn worst(endings: impl IntoIterator<Item = Ending>) -> Ending {
    endings
        .into_iter()
        .find(|ending| *ending != Ending::Done)
        .unwrap_or(Ending::Done)
}

fn is_dash(path: &Path) -> bool {
    path == Path::new("-")
}

/// A header of an answer, as text.
fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
