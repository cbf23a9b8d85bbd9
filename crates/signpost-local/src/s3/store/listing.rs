//! Listings: one ordered walk over the versions, which leaps over what a common prefix stands for.

use std::ops::Bound;

use redb::{ReadableDatabase, ReadableTable};

use super::records::Version;
use super::{Store, StoreError, tables};

/// What a listing shall contain.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListQuery {
    pub(crate) prefix: String,
    pub(crate) delimiter: Option<String>,
    pub(crate) after: Option<After>,
    pub(crate) limit: usize,
    /// Every version and delete marker, rather than the newest objects.
    pub(crate) versions: bool,
}

/// Where a listing goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum After {
    /// Behind all versions of this key.
    Key(String),
    /// Behind this version of the key.
    Version { key: String, version: String },
    /// Behind every key below this common prefix.
    Prefix(String),
}

/// A page of a listing.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) rows: Vec<Row>,
    pub(crate) prefixes: Vec<String>,
    /// Set when there is more.
    pub(crate) next: Option<After>,
}

/// One line of a listing.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) key: String,
    pub(crate) version: Version,
    pub(crate) newest: bool,
}

impl Store {
    /// Lists a bucket.
    pub(crate) fn list(&self, bucket: &str, query: &ListQuery) -> Result<Listed, StoreError> {
        let read = self.index.begin_read()?;
        tables::bucket_in(&read.open_table(tables::BUCKETS)?, bucket)?;
        let table = read.open_table(tables::VERSIONS)?;
        let mut walk = Walk {
            bucket,
            query,
            page: Listed::default(),
            last: None,
        };
        let mut start = walk.start(&table)?;
        while let Some(next) = walk.run(&table, &start)? {
            start = Place {
                key: next,
                rank: Bound::Included(0),
            };
        }
        Ok(walk.page)
    }
}

struct Place {
    key: Vec<u8>,
    rank: Bound<u64>,
}

struct Walk<'a> {
    bucket: &'a str,
    query: &'a ListQuery,
    page: Listed,
    last: Option<After>,
}

impl Walk<'_> {
    fn start(
        &self,
        table: &impl ReadableTable<tables::VersionKey<'static>, &'static [u8]>,
    ) -> Result<Place, StoreError> {
        let place = match &self.query.after {
            None => Place {
                key: Vec::new(),
                rank: Bound::Included(0),
            },
            Some(After::Key(key)) => Place {
                key: key.clone().into_bytes(),
                rank: Bound::Excluded(u64::MAX),
            },
            Some(After::Prefix(prefix)) => Place {
                key: successor(prefix),
                rank: Bound::Included(0),
            },
            Some(After::Version { key, version }) => {
                let versions = tables::versions_of(table, self.bucket, key)?;
                let rank = versions
                    .iter()
                    .find(|(_, found)| found.name() == version)
                    .map_or(u64::MAX, |(rank, _)| *rank);
                Place {
                    key: key.clone().into_bytes(),
                    rank: Bound::Excluded(rank),
                }
            }
        };
        let prefix = self.query.prefix.as_bytes();
        if place.key.as_slice() < prefix {
            return Ok(Place {
                key: prefix.to_vec(),
                rank: Bound::Included(0),
            });
        }
        Ok(place)
    }

    /// Walks on from a place; tells the key to leap to, or `None` at the end.
    fn run(
        &mut self,
        table: &impl ReadableTable<tables::VersionKey<'static>, &'static [u8]>,
        start: &Place,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let from = match start.rank {
            Bound::Excluded(rank) => Bound::Excluded((self.bucket, start.key.as_slice(), rank)),
            Bound::Included(rank) => Bound::Included((self.bucket, start.key.as_slice(), rank)),
            Bound::Unbounded => Bound::Unbounded,
        };
        let mut seen = match start.rank {
            Bound::Excluded(_) => start.key.clone(),
            Bound::Included(_) | Bound::Unbounded => Vec::new(),
        };
        let mut seen_any = matches!(start.rank, Bound::Excluded(_));
        for row in table.range::<tables::VersionKey<'_>>((from, Bound::Unbounded))? {
            let (place, record) = row?;
            let (bucket, key, _) = place.value();
            if bucket != self.bucket || !key.starts_with(self.query.prefix.as_bytes()) {
                return Ok(None);
            }
            let newest = !seen_any || seen != key;
            if newest {
                key.clone_into(&mut seen);
                seen_any = true;
            } else if !self.query.versions {
                continue;
            }
            let version: Version = tables::decode(record.value())?;
            if version.object.is_none() && !self.query.versions {
                continue;
            }
            if self.is_full() {
                self.page.next = self.last.take();
                return Ok(None);
            }
            let key = String::from_utf8_lossy(key).into_owned();
            if let Some(common) = self.common_prefix(&key) {
                let next = successor(&common);
                self.last = Some(After::Prefix(common.clone()));
                self.page.prefixes.push(common);
                return Ok(Some(next));
            }
            self.push(Row { key, version, newest });
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

    fn push(&mut self, row: Row) {
        self.last = Some(if self.query.versions {
            After::Version {
                key: row.key.clone(),
                version: row.version.name().to_owned(),
            }
        } else {
            After::Key(row.key.clone())
        });
        self.page.rows.push(row);
    }
}

/// The first bytes behind everything that starts with `prefix`: UTF-8 holds no 0xFF, so the last byte can grow.
pub(super) fn successor(prefix: &str) -> Vec<u8> {
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
    use crate::s3::store::records::{Description, Object};

    fn filled(keys: impl Iterator<Item = String>) -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a store");
        store.create_bucket("b").expect("a bucket");
        let write = store.index.begin_write().expect("a transaction");
        {
            let mut table = write.open_table(tables::VERSIONS).expect("a table");
            for key in keys {
                let version = Version {
                    id: None,
                    modified: 0,
                    object: Some(empty()),
                };
                let record = tables::encode(&version).expect("a record");
                table
                    .insert(("b", key.as_bytes(), 1), record.as_slice())
                    .expect("a row");
            }
        }
        write.commit().expect("a commit");
        (folder, store)
    }

    fn empty() -> Object {
        Object {
            segments: Vec::new(),
            size: 0,
            etag: String::new(),
            checksum: None,
            multipart: false,
            description: Description::default(),
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
    fn pages_with_a_delimiter_give_every_key_and_prefix_once() {
        let keys = ["a", "a/b", "a/c", "a//d", "b", "c/", "c/x", "/", "/x", "é/1", "é/2"];
        let (_folder, store) = filled(keys.into_iter().map(str::to_owned));
        for limit in 1..6 {
            let mut found = Vec::new();
            let mut next = None;
            loop {
                let page = store
                    .list(
                        "b",
                        &ListQuery {
                            after: next,
                            ..query("", limit)
                        },
                    )
                    .expect("a page");
                found.extend(page.rows.into_iter().map(|row| row.key));
                found.extend(page.prefixes);
                next = page.next;
                if next.is_none() {
                    break;
                }
            }
            found.sort();
            assert_eq!(found, ["/", "a", "a/", "b", "c/", "é/"], "limit {limit}");
        }
    }

    #[test]
    fn a_hundred_thousand_keys_below_one_prefix_do_not_slow_a_listing() {
        let (_folder, store) = filled((0..100_000).map(|n| format!("many/{n:06}")).chain(["other".into()]));
        let begun = Instant::now();
        let top = store.list("b", &query("", 1000)).expect("a page");
        assert_eq!((top.rows.len(), top.prefixes), (1, vec!["many/".to_owned()]));
        let deep = ListQuery {
            after: Some(After::Key("many/090000".into())),
            ..query("many/", 1000)
        };
        let page = store.list("b", &deep).expect("a page");
        assert_eq!((page.rows.len(), page.rows[0].key.as_str()), (1000, "many/090001"));
        assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    }
}
