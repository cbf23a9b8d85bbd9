//! The id table: the ids under which objects are stored, and the number of uses of share links.

mod folder;
mod lock_files;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use super::aws::{CredentialSource, DynamoTable};
use super::https_client::HttpsClient;
use super::id_lookup::{IdLookupResult, LockChange, TableError, shared};
use crate::config::{ConfigError, IdTableLocation, Settings};
use crate::plan::{IdLookup, LinkUse, Lock};

/// The store of the id table.
#[derive(Clone, Debug)]
pub(crate) enum IdTable {
    /// The settings name no table.
    None,
    DynamoDb(Arc<DynamoTable>),
    Folder(PathBuf),
}

/// The ids of entries, by the text of the entry.
#[derive(Debug, Default)]
pub(crate) struct IdLookups(HashMap<String, IdLookupResult>);

/// A boxed future. Boxing keeps the futures of requests that need no table small.
type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl IdTable {
    /// Prepares the store of the settings, without a call.
    pub(crate) fn new(
        settings: &Settings,
        credentials: CredentialSource,
        https: HttpsClient,
    ) -> Result<Self, ConfigError> {
        Ok(match &settings.table {
            None => Self::None,
            Some(IdTableLocation::DynamoDb(name)) => {
                Self::DynamoDb(Arc::new(DynamoTable::new(settings, name, credentials, https)?))
            }
            Some(IdTableLocation::Folder(folder)) => Self::Folder(folder.clone()),
        })
    }

    /// Opens the connection that the first look-up requires.
    pub(crate) async fn connect(&self) {
        if let Self::DynamoDb(table) = self {
            table.connect().await;
        }
    }

    /// Consumes one use of a link. Returns false if none is left. No use is granted to two requests.
    pub(crate) fn consume<'a>(&'a self, counted: &'a LinkUse) -> BoxFuture<'a, Result<bool, TableError>> {
        Box::pin(async move {
            match self {
                Self::None => Err(no_table()),
                Self::DynamoDb(table) => table.consume(counted).await.map_err(shared),
                Self::Folder(folder) => folder::consume(folder, counted).map_err(shared),
            }
        })
    }

    /// Returns all locks of a repository.
    pub(crate) fn locks<'a>(&'a self, repository: &'a str) -> BoxFuture<'a, Result<Vec<Lock>, TableError>> {
        Box::pin(async move {
            match self {
                Self::None => Err(no_table()),
                Self::DynamoDb(table) => table.locks(repository).await.map_err(shared),
                Self::Folder(folder) => lock_files::list(folder, repository).map_err(shared),
            }
        })
    }

    /// Adds a lock, unless there is one for the same path. Only one of several concurrent calls adds a lock.
    pub(crate) fn add_lock<'a>(
        &'a self,
        repository: &'a str,
        lock: &'a Lock,
    ) -> BoxFuture<'a, Result<LockChange, TableError>> {
        Box::pin(async move {
            match self {
                Self::None => Err(no_table()),
                Self::DynamoDb(table) => table.add_lock(repository, lock).await.map_err(shared),
                Self::Folder(folder) => lock_files::add(folder, repository, lock).map_err(shared),
            }
        })
    }

    /// Removes a lock, unless it has been replaced by another one.
    pub(crate) fn remove_lock<'a>(
        &'a self,
        repository: &'a str,
        lock: &'a Lock,
    ) -> BoxFuture<'a, Result<LockChange, TableError>> {
        Box::pin(async move {
            match self {
                Self::None => Err(no_table()),
                Self::DynamoDb(table) => table.remove_lock(repository, lock).await.map_err(shared),
                Self::Folder(folder) => lock_files::remove(folder, repository, lock).map_err(shared),
            }
        })
    }

    /// Returns the ids of all `entries`, looked up at once. An entry whose id must be created has one afterwards.
    pub(crate) async fn look_up(&self, entries: Vec<&IdLookup>, now: SystemTime) -> IdLookups {
        if entries.is_empty() {
            return IdLookups::default();
        }
        let mut items: BTreeMap<String, bool> = BTreeMap::new();
        for entry in entries {
            *items.entry(entry.table_key()).or_default() |= entry.create;
        }
        IdLookups(self.look_up_items(items, now).await)
    }

    /// Returns the ids of these items. An item with `true` is created if it does not exist.
    fn look_up_items(
        &self,
        items: BTreeMap<String, bool>,
        now: SystemTime,
    ) -> BoxFuture<'_, HashMap<String, IdLookupResult>> {
        Box::pin(async move {
            match self {
                Self::None => items.into_keys().map(|text| (text, Err(no_table()))).collect(),
                Self::DynamoDb(table) => table.ids(items, now).await,
                Self::Folder(folder) => items
                    .into_iter()
                    .map(|(text, create)| {
                        let id = folder::id(folder, &text, create, now).map_err(shared);
                        (text, id)
                    })
                    .collect(),
            }
        })
    }
}

impl IdLookups {
    /// Returns the id of `entry`, which must have been looked up.
    pub(crate) fn get(&self, entry: &IdLookup) -> IdLookupResult {
        self.0
            .get(&entry.table_key())
            .cloned()
            .unwrap_or_else(|| Err(no_table()))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no id table is configured")]
struct NoTable;

fn no_table() -> TableError {
    shared(NoTable)
}
