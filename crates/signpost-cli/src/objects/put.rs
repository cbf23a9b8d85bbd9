//! `signpost put`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::upload::{About, Stored, Upload, Wanted};
use super::{Session, each, is_dash};
use crate::console::Outcome;
use crate::context::Context;
use crate::options::PutOptions;
use crate::place::Place;
use crate::problem::Problem;
use crate::report::Ending;
use crate::tree::{self, Opened};

/// A file, or standard input, and where it goes.
struct Errand {
    file: PathBuf,
    place: Place,
    /// How long the file is thought to be.
    len: u64,
}

impl Errand {
    fn of(file: PathBuf, place: Place) -> Self {
        let len = file.metadata().ok().filter(|_| !is_dash(&file));
        Self {
            len: len.map_or(0, |metadata| metadata.len()),
            file,
            place,
        }
    }
}

pub(super) async fn put(options: &PutOptions, context: &mut Context<'_, '_>) -> Result<Ending, Problem> {
    let base = context.base(&options.connection)?;
    let destination = Place::parse(&options.destination, base.as_deref())?;
    let mut left = Vec::new();
    let errands = errands(options, &destination, &mut left)?;
    let places = [destination];
    let session = Session::open(&places, &options.connection, options.progress, context)?;
    for (path, why) in left {
        session.console.note(&format!("{} stays here: {why}", path.display()));
    }
    for errand in &errands {
        session.progress.expect(errand.len);
    }
    let store = async |errand: Errand| {
        let stored = store(&session, &errand, options).await;
        tell(&session, &errand, stored)
    };
    Ok(each(errands, store).await)
}

async fn store(session: &Session, errand: &Errand, options: &PutOptions) -> Result<Stored, Problem> {
    let Errand { file, place, len } = errand;
    let named = if is_dash(file) {
        place.name().unwrap_or_default().into()
    } else {
        file.clone()
    };
    let about = About {
        content_type: options.content_type.clone().or_else(|| guess(&named)),
        metadata: options.metadata.clone(),
        no_clobber: options.no_clobber,
    };
    let upload = Upload {
        session,
        place: place.clone(),
        about: Arc::new(about),
        wanted: if options.recursive { Wanted::There } else { Wanted::Made },
    };
    if is_dash(file) {
        upload.stdin().await
    } else {
        let opened = Opened::open(file).await?;
        session.progress.amend(*len, opened.source.len());
        upload.file(&opened).await
    }
}

/// The media type that goes with a name.
fn guess(path: &Path) -> Option<String> {
    mime_guess::from_path(path).first().map(|media| media.to_string())
}

fn tell(session: &Session, errand: &Errand, stored: Result<Stored, Problem>) -> Ending {
    let Errand { file, place, .. } = errand;
    let outcome = Outcome::of("put", place.url()).with("file", file.to_string_lossy());
    match stored {
        Ok(stored) => {
            let outcome = outcome
                .with("bytes", stored.bytes)
                .with("bytes_kept", stored.kept)
                .with("checksum", stored.checksum.to_string())
                .with_known("etag", stored.etag);
            session.console.done(outcome, "");
            Ending::Done
        }
        Err(problem) => session
            .console
            .failed(outcome, &format!("can't put {}", file.display()), &problem),
    }
}

/// What is to be put where. Two files never end in one object.
fn errands(
    options: &PutOptions,
    destination: &Place,
    left: &mut Vec<(PathBuf, &'static str)>,
) -> Result<Vec<Errand>, Problem> {
    let files = &options.files;
    let is_tree = options.recursive && files.iter().any(|file| file.is_dir());
    if !destination.is_prefix() {
        return match files.as_slice() {
            [_] if is_tree => Err(Problem::usage("a folder needs a destination that ends in a slash")),
            [file] => Ok(vec![Errand::of(file.clone(), destination.clone())]),
            _ => Err(Problem::usage("many files need a destination that ends in a slash")),
        };
    }
    let mut named = Vec::new();
    for file in files {
        if options.recursive && file.is_dir() {
            let walked = tree::walk(file)?;
            let prefix = prefix(file);
            named.extend(
                walked
                    .files
                    .into_iter()
                    .map(|(path, name)| (path, format!("{prefix}{name}"))),
            );
            left.extend(walked.left);
        } else {
            let name = file
                .file_name()
                .and_then(|name| name.to_str())
                .filter(|name| *name != "-");
            let name =
                name.ok_or_else(|| Problem::usage(format!("{} has no name to give to an object", file.display())))?;
            named.push((file.clone(), name.to_owned()));
        }
    }
    let mut seen = std::collections::HashSet::new();
    let errands = named.into_iter().map(|(file, name)| {
        let place = destination.join(&name)?;
        if !seen.insert(name) {
            return Err(Problem::usage(format!("two of the files would be stored as {place}")));
        }
        Ok(Errand::of(file, place))
    });
    errands.collect()
}

/// What stands before the names of a folder's files: its own name, but where only its content is meant, as with `cp`.
fn prefix(folder: &Path) -> String {
    let is_content = folder.as_os_str().to_string_lossy().ends_with('/');
    match folder.file_name().and_then(|name| name.to_str()) {
        Some(name) if !is_content => format!("{name}/"),
        _ => String::new(),
    }
}
