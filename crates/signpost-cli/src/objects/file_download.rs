//! Downloads an object to a file: in one stream, or in parallel ranges if it is large. The file gets its final name
//! only when it is complete and verified.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Mutex;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::Response;
use reqwest::header::ETAG;

use super::object_download::{DownloadResult, FirstResponse, ObjectDownload, PartStream};
use super::partial_file::DownloadPaths;
use super::{TransferSession, header, small_download};
use crate::blocking_task::run_blocking;
use crate::checksum::{ChecksumAlgorithm, ContentChecksum, combine_checksums};
use crate::exit_status::ExitStatus;
use crate::file_writer::PartWriter;
use crate::object_url::ObjectUrl;
use crate::operation_error::OperationError;
use crate::part_layout::{MAX_SINGLE_DOWNLOAD, MAX_SMALL_OBJECT, Part, PartLayout};
use crate::transfer_state::{FinishedRange, RangeLog, RemoteObject, TransferRecord};
use crate::upload_source;

/// How many ranges are requested at the same time. The concurrency limit can allow fewer.
const MAX_CONCURRENT_PARTS: usize = 8;

/// A download to a file.
pub(super) struct FileDownload<'a> {
    session: &'a TransferSession,
    object_url: &'a ObjectUrl,
    paths: DownloadPaths,
    partial: File,
    record: TransferRecord,
}

/// The ranges that the file contains: their numbers and checksums.
type PresentRanges = BTreeMap<u32, ContentChecksum>;

/// Downloads an object to a file.
pub(super) async fn download_file(
    session: &TransferSession,
    object_url: &ObjectUrl,
    path: &Path,
    expected_len: u64,
) -> Result<DownloadResult, OperationError> {
    let paths = DownloadPaths::new(path)?;
    let record = session.state.download(object_url.url(), &paths.file);
    let download = ObjectDownload::new(session, object_url, expected_len);
    // If an earlier command left a record, it is read before the object is requested.
    let first = if record.exists() {
        None
    } else {
        Some(download.start().await?)
    };
    let result = match first {
        Some(first) if first.object.len <= MAX_SMALL_OBJECT => {
            small_download::download_small(&download, first, paths).await
        }
        first => {
            FileDownload::open(session, object_url, paths, record)
                .await?
                .run(&download, first)
                .await
        }
    };
    if result.is_ok() {
        session.progress.finish_file();
    }
    result
}

impl<'a> FileDownload<'a> {
    /// Creates the partial file, or opens the partial file of an earlier command.
    async fn open(
        session: &'a TransferSession,
        object_url: &'a ObjectUrl,
        paths: DownloadPaths,
        record: TransferRecord,
    ) -> Result<Self, OperationError> {
        let opened = {
            let (paths, record) = (paths.clone(), record.clone());
            run_blocking(move || paths.open(record.owns_partial_file(&paths.partial))).await
        };
        Ok(Self {
            session,
            object_url,
            record,
            partial: opened?,
            paths,
        })
    }

    /// Downloads the object.
    async fn run(
        self,
        download: &ObjectDownload<'_>,
        first: Option<FirstResponse<'_>>,
    ) -> Result<DownloadResult, OperationError> {
        let result = match self.download_partial(download, first).await {
            Ok(result) => self.publish().await.map(|()| result),
            Err(error) => Err(error),
        };
        result.map_err(|error| self.clean_up(error))
    }

    async fn download_partial(
        &self,
        download: &ObjectDownload<'_>,
        first: Option<FirstResponse<'_>>,
    ) -> Result<DownloadResult, OperationError> {
        if let Some((object, present)) = self.resume().await? {
            download.set_length(object.len);
            return self.download_ranges(download, &object, present, None).await;
        }
        let FirstResponse {
            object,
            response,
            permit,
        } = match first {
            Some(first) => first,
            None => download.start().await?,
        };
        download.set_length(object.len);
        let partial = self.clone_partial()?;
        run_blocking(move || partial.set_len(0))
            .await
            .map_err(|error| self.io(&error))?;
        if object.len < MAX_SINGLE_DOWNLOAD {
            // The record identifies the partial file as ours, even if this command is killed.
            let _ = self.record.claim_partial(&object, &self.partial);
            return download.copy_to_file(&object, response, self.clone_partial()?).await;
        }
        drop(permit);
        self.download_ranges(download, &object, PresentRanges::new(), Some(response))
            .await
    }

    /// The ranges of an earlier download that the file really contains.
    async fn resume(&self) -> Result<Option<(RemoteObject, PresentRanges)>, OperationError> {
        let Some((object, finished)) = self.record.load_download() else {
            return Ok(None);
        };
        let Some(layout) = PartLayout::with_part_size(object.len, object.range_size) else {
            return Ok(None);
        };
        let headers = self.session.head_object(self.object_url).await?;
        if header(&headers, ETAG.as_str()).as_deref() != Some(&object.etag) {
            return Ok(None);
        }
        let recorded: BTreeMap<_, _> = finished
            .into_iter()
            .map(|FinishedRange { number, checksum }| (number, checksum))
            .collect();
        let algorithm = range_algorithm(&object);
        let file = self.clone_partial()?;
        let present: PresentRanges = run_blocking(move || {
            let matches_record = |part: &Part| {
                let recorded = recorded.get(&part.number)?;
                let actual = upload_source::hash_range(&file, part.start, part.len, algorithm).ok()?;
                (actual == *recorded).then_some((part.number, actual))
            };
            layout.parts().filter_map(|part| matches_record(&part)).collect()
        })
        .await;
        if present.is_empty() {
            return Ok(None);
        }
        Ok(Some((object, present)))
    }

    /// Downloads the missing ranges.
    async fn download_ranges(
        &self,
        download: &ObjectDownload<'_>,
        object: &RemoteObject,
        present: PresentRanges,
        first: Option<Response>,
    ) -> Result<DownloadResult, OperationError> {
        let layout = PartLayout::with_part_size(object.len, object.range_size).expect("the layout has been validated");
        let partial = self.clone_partial()?;
        let len = object.len;
        run_blocking(move || partial.set_len(len))
            .await
            .map_err(|error| self.io(&error))?;
        let log = Mutex::new(self.save_download(object, &present));
        let bytes_skipped: u64 = layout
            .parts()
            .filter(|part| present.contains_key(&part.number))
            .map(|part| part.len)
            .sum();
        self.session.progress.add_existing_bytes(bytes_skipped);
        let mut first = first;
        let missing: Vec<_> = layout
            .parts()
            .filter(|part| !present.contains_key(&part.number))
            .map(|part| (part, first.take()))
            .collect();
        let downloaded: Vec<_> = stream::iter(missing)
            .map(|(part, response)| self.download_range(download, object, part, response, &log))
            .buffer_unordered(MAX_CONCURRENT_PARTS)
            .try_collect()
            .await?;
        let mut all = present;
        all.extend(downloaded);
        let actual = match &object.checksum {
            Some(expected) if !expected.algorithm.is_combinable() => {
                Some(self.hash_file(expected.algorithm, object.len).await?)
            }
            Some(_) => combine_checksums(layout.parts().zip(all.values())),
            None => None,
        };
        Ok(DownloadResult {
            bytes_skipped,
            ..DownloadResult::checked(object, actual)?
        })
    }

    async fn download_range(
        &self,
        download: &ObjectDownload<'_>,
        object: &RemoteObject,
        part: Part,
        first: Option<Response>,
        log: &Mutex<RangeLog>,
    ) -> Result<(u32, ContentChecksum), OperationError> {
        let _permit = self.session.concurrency.acquire(part.len).await;
        let mut writer = PartWriter::new(self.clone_partial()?, part.start, range_algorithm(object));
        let mut stream = PartStream::of_part(object, part);
        download
            .stream_part(&mut stream, first, async |bytes| writer.append(bytes).await)
            .await?;
        let checksum = writer.finish().await?;
        let finished = FinishedRange {
            number: part.number,
            checksum,
        };
        let mut log = log.lock().expect("no thread panics while it holds the lock");
        // A range without a record is downloaded again after an interruption.
        let _ = log.append(&finished);
        Ok((finished.number, finished.checksum))
    }

    fn save_download(&self, object: &RemoteObject, present: &PresentRanges) -> RangeLog {
        let finished: Vec<_> = present
            .iter()
            .map(|(number, checksum)| FinishedRange {
                number: *number,
                checksum: checksum.clone(),
            })
            .collect();
        self.record
            .save_download(object, &self.partial, &finished)
            .unwrap_or_else(|error| {
                let console = &self.session.console;
                console.print_note(&format!(
                    "this download cannot be resumed after an interruption: {error}"
                ));
                RangeLog::none()
            })
    }

    async fn hash_file(&self, algorithm: ChecksumAlgorithm, len: u64) -> Result<ContentChecksum, OperationError> {
        let file = self.clone_partial()?;
        run_blocking(move || upload_source::hash_range(&file, 0, len, algorithm))
            .await
            .map_err(|error| self.io(&error))
    }

    /// Publishes the complete, verified file.
    async fn publish(&self) -> Result<(), OperationError> {
        let (partial, paths) = (self.clone_partial()?, self.paths.clone());
        run_blocking(move || paths.publish(&partial)).await?;
        self.record.delete();
        Ok(())
    }

    /// Preserves the partial file if another command can resume it, and deletes it otherwise.
    fn clean_up(&self, error: OperationError) -> OperationError {
        let is_resumable = self
            .record
            .load_download()
            .is_some_and(|(_, finished)| !finished.is_empty());
        if !is_resumable || matches!(error.exit_status, ExitStatus::Conflict | ExitStatus::WrongChecksum) {
            let _ = std::fs::remove_file(&self.paths.partial);
            self.record.delete();
            return error;
        }
        match error.exit_status {
            ExitStatus::Temporary => error.with_remedy("Run the same command again to resume."),
            _ => error,
        }
    }

    fn clone_partial(&self) -> Result<File, OperationError> {
        self.partial.try_clone().map_err(|error| self.io(&error))
    }

    fn io(&self, error: &std::io::Error) -> OperationError {
        OperationError::io(self.paths.partial.display(), error)
    }
}

/// The algorithm for the ranges: the algorithm of the object if its checksums can be combined.
fn range_algorithm(object: &RemoteObject) -> ChecksumAlgorithm {
    let algorithm = object.checksum.as_ref().map(|expected| expected.algorithm);
    algorithm
        .filter(|algorithm| algorithm.is_combinable())
        .unwrap_or(ChecksumAlgorithm::Crc64Nvme)
}
