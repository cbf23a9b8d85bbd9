//! Downloads a small object: the bytes are received and verified in memory, and then written to a file at once.

use std::fs;
use std::io::Write as _;

use bytes::Bytes;

use super::object_download::{DownloadResult, FirstResponse, ObjectDownload, PartStream};
use super::partial_file::DownloadPaths;
use crate::RandomSource;
use crate::blocking_task::run_blocking;
use crate::operation_error::OperationError;

/// Downloads the rest of an object, after its first response.
pub(super) async fn download_small(
    download: &ObjectDownload<'_>,
    first: FirstResponse<'_>,
    paths: DownloadPaths,
) -> Result<DownloadResult, OperationError> {
    let FirstResponse {
        object,
        response,
        permit,
    } = first;
    download.set_length(object.len);
    let mut chunks = Vec::new();
    let mut streamed = PartStream::whole(&object);
    download
        .stream_part(&mut streamed, Some(response), async |bytes| {
            chunks.push(bytes);
            Ok(())
        })
        .await?;
    drop(permit);
    let checksum = object.checksum.as_ref().map(|expected| {
        let mut hasher = expected.algorithm.hasher();
        for chunk in &chunks {
            hasher.update(chunk);
        }
        hasher.finish()
    });
    let result = DownloadResult::checked(&object, checksum)?;
    let random = download.session.random;
    run_blocking(move || write_file(paths, &chunks, random)).await?;
    Ok(result)
}

fn write_file(mut paths: DownloadPaths, chunks: &[Bytes], random: RandomSource) -> Result<(), OperationError> {
    let mut partial = paths.create_partial(random)?;
    let filled = chunks.iter().try_for_each(|chunk| partial.write_all(chunk));
    let published = filled
        .map_err(|error| OperationError::io(paths.partial.display(), &error))
        .and_then(|()| paths.publish(&partial));
    if published.is_err() {
        let _ = fs::remove_file(&paths.partial);
    }
    published
}
