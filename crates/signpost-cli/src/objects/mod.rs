//! The commands for objects: what is common to them, and one module for each.

mod download;
mod early;
mod get;
mod listing;
mod names;
mod parts;
mod pending;
mod put;
mod ranges;
mod remove;
mod share;
mod small;
mod stat;
mod stream;
mod upload;
mod uploads;

use std::path::Path;

use futures::{Stream, StreamExt as _};
use reqwest::header::HeaderMap;
use tokio::sync::Semaphore;

use crate::console::Console;
use crate::context::Context;
use crate::http::Http;
use crate::lanes::Lanes;
use crate::options::{Connection, ObjectCommand};
use crate::place::Place;
use crate::problem::Problem;
use crate::progress::{Mode, Progress};
use crate::report::{Ending, Error, Report};
use crate::retry;
use crate::service::Service;
use crate::state::State;
use crate::store::Store;
use crate::{Random, System};

/// How many files are under way at once, from the first question to the last byte; most of them wait for a lane.
const FILES: usize = 128;

/// How many large files are under way at once: whatever interrupts the command, few are left half done.
const LARGE: usize = 2;

/// Both hops, the console, and what is shared by the transfers of a command.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) service: Service,
    pub(crate) store: Store,
    pub(crate) console: Console,
    pub(crate) progress: Progress,
    pub(crate) state: State,
    pub(crate) lanes: Lanes,
    /// Turns of large files.
    pub(crate) large: Semaphore,
    random: Random,
}

/// Does a command for objects, until it is done or the user has enough of it.
pub(crate) fn run(command: &ObjectCommand, system: &mut System<'_>) -> Result<Report, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Problem::io("can't start", &error))?;
    let state = State::of_user();
    let arguments = system.arguments.clone();
    let mut context = Context::new(state.clone(), system)?;
    let ended = runtime.block_on(async {
        tokio::select! {
            ended = dispatch(command, &mut context) => ended,
            _ = tokio::signal::ctrl_c() => Ok(Ending::Interrupted),
        }
    });
    // Whatever still runs (a read of standard input, say) has nothing to say any more.
    runtime.shutdown_background();
    let ended = ended?;
    let mut report = Report::ended(ended);
    if ended == Ending::Interrupted && state.has_kept() {
        report.notes = format!("interrupted; this goes on where it was:\n  {}\n", typed(&arguments));
    }
    Ok(report)
}

/// The command line, for a shell. A share link is no text to be shown.
fn typed(arguments: &[String]) -> String {
    let is_plain = |char: char| char.is_alphanumeric() || "-_./:=,@%+".contains(char);
    let words = arguments.iter().map(|argument| match argument.split_once("?share=") {
        Some((url, _)) => format!("'{url}?share=…'"),
        None if !argument.is_empty() && argument.chars().all(is_plain) => argument.clone(),
        None => format!("'{}'", argument.replace('\'', "'\\''")),
    });
    words.collect::<Vec<_>>().join(" ")
}

async fn dispatch(command: &ObjectCommand, context: &mut Context<'_, '_>) -> Result<Ending, Problem> {
    match command {
        ObjectCommand::Get(options) => get::get(options, context).await,
        ObjectCommand::Put(options) => put::put(options, context).await,
        ObjectCommand::Cat { objects, connection } => get::cat(objects, connection, context).await,
        ObjectCommand::Rm { objects, connection } => remove::remove(objects, connection, context).await,
        ObjectCommand::Ls(options) => listing::list(options, context).await,
        ObjectCommand::Share(options) => share::share(options, context).await,
        ObjectCommand::Uploads(options) => uploads::uploads(options, context).await,
        ObjectCommand::Stat { objects, connection } => stat::stat(objects, connection, context).await,
    }
}

impl Session {
    /// A session for these places, which must be at one service: a token is for one.
    fn open(
        places: &[Place],
        connection: &Connection,
        mode: Mode,
        context: &mut Context<'_, '_>,
    ) -> Result<Self, Problem> {
        let Some(origin) = places.first().map(Place::origin) else {
            return Err(Problem::usage("nothing is named"));
        };
        if places.iter().any(|place| place.origin() != origin) {
            return Err(Problem::usage(
                "the objects are at different services; run the command for each",
            ));
        }
        let found = context.credential(connection, origin)?;
        let base = context
            .base(connection)?
            .map(|base| base.trim_end_matches('/').to_owned());
        let base = base.filter(|base| places.iter().all(|place| place.is_below(base)));
        let http = Http::new(context.system.variable)?;
        let progress = Progress::start(mode);
        Ok(Self {
            service: Service::new(http.clone(), found.map(|found| found.credential), base),
            store: Store::new(http),
            console: Console::new(connection.json, progress.clone()),
            progress,
            state: context.state.clone(),
            lanes: Lanes::new(),
            large: Semaphore::new(LARGE),
            random: context.system.random,
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
            let instruction = self.service.metadata(place, &wanted).await?;
            Ok(self.store.send(&instruction, &[]).await?.headers().clone())
        })
        .await
    }
}

/// Asks S3 to tell the checksum that it keeps.
fn checksum_mode() -> (String, String) {
    ("x-amz-checksum-mode".to_owned(), "ENABLED".to_owned())
}

/// The places of objects or prefixes.
fn places(texts: &[String], connection: &Connection, context: &Context<'_, '_>) -> Result<Vec<Place>, Problem> {
    let base = context.base(connection)?;
    texts.iter().map(|text| Place::parse(text, base.as_deref())).collect()
}

/// The places of objects, and not of prefixes.
fn objects(texts: &[String], connection: &Connection, context: &Context<'_, '_>) -> Result<Vec<Place>, Problem> {
    let places = places(texts, connection, context)?;
    match places.iter().find(|place| place.is_prefix()) {
        Some(place) => Err(Problem::usage(format!(
            "{place} ends in a slash, so it names no object"
        ))),
        None => Ok(places),
    }
}

/// Does the same to many things, side by side. The first that fails, in the order in which they were named, decides how
/// the command ends; the others are told, too.
async fn each<T>(things: impl IntoIterator<Item = T>, act: impl AsyncFn(T) -> Ending) -> Ending {
    let act = &act;
    let acts = things
        .into_iter()
        .enumerate()
        .map(|(index, thing)| async move { (index, act(thing).await) });
    worst(futures::stream::iter(acts).buffer_unordered(FILES)).await
}

async fn worst(endings: impl Stream<Item = (usize, Ending)>) -> Ending {
    let failures = endings.filter(|(_, ending)| futures::future::ready(*ending != Ending::Done));
    let first = failures.fold(None, |first: Option<(usize, Ending)>, next| async move {
        Some(first.filter(|first| first.0 < next.0).unwrap_or(next))
    });
    first.await.map_or(Ending::Done, |(_, ending)| ending)
}

fn is_dash(path: &Path) -> bool {
    path == Path::new("-")
}

/// A header of an answer, as text.
fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_resumes_can_be_pasted_and_holds_no_secret() {
        let arguments = ["signpost", "put", "it's here", "a b", "https://h/k?share=s3cret", ""];
        assert_eq!(
            typed(&arguments.map(str::to_owned)),
            "signpost put 'it'\\''s here' 'a b' 'https://h/k?share=…' ''"
        );
    }

    #[tokio::test]
    async fn the_first_failure_in_order_decides() {
        use Ending::{Conflict, Done, NotFound};
        let ended = async |endings: &[Ending]| each(endings.to_vec(), async |ending| ending).await;
        assert_eq!(ended(&[Done, NotFound, Conflict]).await, NotFound);
        assert_eq!(ended(&[Done, Done]).await, Done);
    }
}
