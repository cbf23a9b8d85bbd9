//! A small object to a file: it is here whole, and found to be right, before there is a file, which is then written at once.

use std::fs;
use std::io::Write as _;

use bytes::Bytes;

use super::download::{Download, Fetched, First, Streamed};
use super::names::Names;
use super::ranges::blocking;
use crate::Random;
use crate::problem::Problem;

/// Brings an object whose first answer is there.
pub(super) async fn bring(download: &Download<'_>, first: First<'_>, names: Names) -> Result<Fetched, Problem> {
    let First { object, response, lane } = first;
    download.has(object.len);
    let mut chunks = Vec::new();
    let mut streamed = Streamed::whole(&object);
    download
        .stream(&mut streamed, Some(response), async |bytes| {
            chunks.push(bytes);
            Ok(())
        })
        .await?;
    drop(lane);
    let checksum = object.checksum.as_ref().map(|told| {
        let mut hasher = told.algorithm.hasher();
        for chunk in &chunks {
            hasher.update(chunk);
        }
        hasher.finish()
    });
    let fetched = Fetched::checked(&object, checksum)?;
    let random = download.session.random;
    blocking(move || write(names, &chunks, random)).await?;
    Ok(fetched)
}

fn write(mut names: Names, chunks: &[Bytes], random: Random) -> Result<(), Problem> {
    let mut part = names.open_anew(random)?;
    let filled = chunks.iter().try_for_each(|chunk| part.write_all(chunk));
    let kept = filled
        .map_err(|error| Problem::io(names.part.display(), &error))
        .and_then(|()| names.keep(&part));
    if kept.is_err() {
        let _ = fs::remove_file(&names.part);
    }
    kept
}
