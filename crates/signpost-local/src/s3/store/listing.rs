//! Listings: one ordered scan over the versions, which skips the keys below a common prefix.

use std::ops::Bound;

use redb::{ReadableDatabase, ReadableTable};

use super::records::VersionRecord;
use super::{ObjectStore, StoreError, tables};

/// The parameters of a listing.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListQuery {
    pub(crate) prefix: String,
    pub(crate) delimiter: Option<String>,
    pub(crate) after: Option<ListMarker>,
    pub(crate) limit: usize,
    /// True to list all versions and delete markers, false to list only current objects.
    pub(crate) versions: bool,
}

/// The position after which a listing resumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ListMarker {
    /// After all versions of this key.
    Key(String),
    /// After this version of the key.
    Version { key: String, version: String },
    /// After every key below this common prefix.
    Prefix(String),
}

/// A page of a listing.
#[derive(Debug, Default)]
pub(crate) struct ListPage {
    pub(crate) rows: Vec<ListEntry>,
    pub(crate) prefixes: Vec<String>,
    /// The position of the next page, if there is one.
    pub(crate) next: Option<ListMarker>,
}

/// One version in a listing.
#[derive(Debug)]
pub(crate) struct ListEntry {
    pub(crate) key: String,
    pub(crate) version: VersionRecord,
    pub(crate) newest: bool,
}

impl ObjectStore {
    /// Returns one page of a listing.
    pub(crate) fn list_bucket(&self, bucket: &str, query: &ListQuery) -> Result<ListPage, StoreError> {
        let read = self.index.begin_read()?;
        tables::read_bucket(&read.open_table(tables::BUCKETS)?, bucket)?;
        let table = read.open_table(tables::VERSIONS)?;
        let mut scan = ListScan {
            bucket,
            query,
            page: ListPage::default(),
            last: None,
        };
        let mut start = scan.start(&table)?;
        while let Some(next) = scan.run(&table, &start)? {
            start = ScanPosition {
                key: next,
                rank: Bound::Included(0),
            };
        }
        Ok(scan.page)
    }
}

struct ScanPosition {
    key: Vec<u8>,
    rank: Bound<u64>,
}

struct ListScan<'a> {
    bucket: &'a str,
    query: &'a ListQuery,
    page: ListPage,
    last: Option<ListMarker>,
}

impl ListScan<'_> {
    fn start(
        &self,
        table: &impl ReadableTable<tables::VersionKey<'static>, &'static [u8]>,
    ) -> Result<ScanPosition, StoreError> {
        let location = match &self.query.after {
            None => ScanPosition {
                key: Vec::new(),
                rank: Bound::Included(0),
            },
            Some(ListMarker::Key(key)) => ScanPosition {
                key: key.clone().into_bytes(),
                rank: Bound::Excluded(u64::MAX),
            },
            Some(ListMarker::Prefix(prefix)) => ScanPosition {
                key: prefix_successor(prefix),
                rank: Bound::Included(0),
            },
            Some(ListMarker::Version { key, version }) => {
                let versions = tables::read_versions(table, self.bucket, key)?;
                let rank = versions
                    .iter()
                    .find(|(_, found)| found.version_id() == version)
                    .map_or(u64::MAX, |(rank, _)| *rank);
                ScanPosition {
                    key: key.clone().into_bytes(),
                    rank: Bound::Excluded(rank),
                }
            }
        };
        let prefix = self.query.prefix.as_bytes();
        if location.key.as_slice() < prefix {
            return Ok(ScanPosition {
                key: prefix.to_vec(),
                rank: Bound::Included(0),
            });
        }
        Ok(location)
    }

    /// Scans from `start`. Returns the key to continue at, or `None` at the end of the page.
    fn run(
        &mut self,
        table: &impl ReadableTable<tables::VersionKey<'static>, &'static [u8]>,
        start: &ScanPosition,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let from = match start.rank {
            Bound::Excluded(rank) => Bound::Excluded((self.bucket, start.key.as_slice(), rank)),
            Bound::Included(rank) => Bound::Included((self.bucket, start.key.as_slice(), rank)),
            Bound::Unbounded => Bound::Unbounded,
        };
        let mut current_key = match start.rank {
            Bound::Excluded(_) => start.key.clone(),
            Bound::Included(_) | Bound::Unbounded => Vec::new(),
        };
        let mut has_current_key = matches!(start.rank, Bound::Excluded(_));
        for row in table.range::<tables::VersionKey<'_>>((from, Bound::Unbounded))? {
            let (location, record) = row?;
            let (bucket, key, _) = location.value();
            if bucket != self.bucket || !key.starts_with(self.query.prefix.as_bytes()) {
                return Ok(None);
            }
            let newest = !has_current_key || current_key != key;
            if newest {
                key.clone_into(&mut current_key);
                has_current_key = true;
            } else if !self.query.versions {
                continue;
            }
            let version: VersionRecord = tables::decode_record(record.value())?;
            if version.object.is_none() && !self.query.versions {
                continue;
            }
            if self.is_full() {
                self.page.next = self.last.take();
                return Ok(None);
            }
            let key = String::from_utf8_lossy(key).into_owned();
            if let Some(common) = self.common_prefix(&key) {
                let next = prefix_successor(&common);
                self.last = Some(ListMarker::Prefix(common.clone()));
                self.page.prefixes.push(common);
                return Ok(Some(next));
            }
            self.push(ListEntry { key, version, newest });
        }
        Ok(None)
    }

    fn is_full(&self) -> bool {
        self.page.rows.len() + self.page.prefixes.len() >= self.query.limit
    }

    fn common_prefix(&self, key: &str) -> Option<String> {
        let delimiter = self.query.delimiter.as_deref()?;
        let below = &key[self.query.prefix.len()..];
        let end = below.find(delimiter)? + delimiter.len();
        Some(key[..self.query.prefix.len() + end].to_owned())
    }

    fn push(&mut self, row: ListEntry) {
        self.last = Some(if self.query.versions {
            ListMarker::Version {
                key: row.key.clone(),
                version: row.version.version_id().to_owned(),
            }
        } else {
            ListMarker::Key(row.key.clone())
        });
        self.page.rows.push(row);
    }
}

/// Returns the first key after all keys with this prefix. UTF-8 never contains 0xFF, so the last byte can be incremented.
pub(super) fn prefix_successor(prefix: &str) -> Vec<u8> {
    let mut bytes = prefix.as_bytes().to_vec();
    if let Some(last) = bytes.last_mut() {
        *last += 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::s3::store::records::{ObjectMetadata, ObjectRecord};

    fn filled_store(keys: impl Iterator<Item = String>) -> (tempfile::TempDir, ObjectStore) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = ObjectStore::open(folder.path()).expect("a store");
        store.create_bucket("b").expect("a bucket");
        let write = store.index.begin_write().expect("a transaction");
        {
            let mut table = write.open_table(tables::VERSIONS).expect("a table");
            for key in keys {
                let version = VersionRecord {
                    id: None,
                    modified: 0,
                    object: Some(empty_object()),
                };
                let record = tables::encode_record(&version).expect("a record");
                table
                    .insert(("b", key.as_bytes(), 1), record.as_slice())
                    .expect("a row");
            }
        }
        write.commit().expect("a commit");
        (folder, store)
    }

    fn empty_object() -> ObjectRecord {
        ObjectRecord {
            segments: Vec::new(),
            size: 0,
            etag: String::new(),
            checksum: None,
            multipart: false,
            description: ObjectMetadata::default(),
        }
    }

    fn query(prefix: &str, limit: usize) -> ListQuery {
        ListQuery {
            prefix: prefix.into(),
            delimiter: Some("/".into()),
            limit,
            ..ListQuery::default()
        }
    }

    #[test]
    fn pages_contain_every_key_and_common_prefix_once() {
        let keys = ["a", "a/b", "a/c", "a//d", "b", "c/", "c/x", "/", "/x", "é/1", "é/2"];
        let (_folder, store) = filled_store(keys.into_iter().map(str::to_owned));
        for limit in 1..6 {
            let mut entries = Vec::new();
            let mut next = None;
            loop {
                let page = store
                    .list_bucket(
                        "b",
                        &ListQuery {
                            after: next,
                            ..query("", limit)
                        },
                    )
                    .expect("a page");
                entries.extend(page.rows.into_iter().map(|row| row.key));
                entries.extend(page.prefixes);
                next = page.next;
                if next.is_none() {
                    break;
                }
            }
            entries.sort();
            assert_eq!(entries, ["/", "a", "a/", "b", "c/", "é/"], "limit {limit}");
        }
    }

    #[test]
    fn a_listing_skips_a_hundred_thousand_keys_below_a_common_prefix() {
        let (_folder, store) = filled_store((0..100_000).map(|n| format!("many/{n:06}")).chain(["other".into()]));
        let started = Instant::now();
        let top = store.list_bucket("b", &query("", 1000)).expect("a page");
        assert_eq!((top.rows.len(), top.prefixes), (1, vec!["many/".to_owned()]));
        let deep = ListQuery {
            after: Some(ListMarker::Key("many/090000".into())),
            ..query("many/", 1000)
        };
        let page = store.list_bucket("b", &deep).expect("a page");
        assert_eq!((page.rows.len(), page.rows[0].key.as_str()), (1000, "many/090001"));
        assert!(
            started.elapsed() < Duration::from_millis(500),
            "{:?}",
            started.elapsed()
        );
    }
}
