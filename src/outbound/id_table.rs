//! What must be remembered between requests: the ids under which objects are kept, and how often a share link has been
//! used.

mod folder;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use ring::rand::{SecureRandom as _, SystemRandom};
use ulid::Ulid;

use super::aws::{CredentialSource, DynamoTable};
use crate::config::{ConfigError, Settings, TablePlace};
use crate::plan::{CountedUse, Entry};

/// Where it is remembered.
#[derive(Clone, Debug)]
pub(crate) enum Table {
    Nowhere,
    DynamoDb(Arc<DynamoTable>),
    Folder(PathBuf),
}

/// Why the table gave no answer: one reason may be that of many entries.
pub(crate) type Error = Arc<dyn std::error::Error + Send + Sync>;

/// The ids of entries, by their texts.
#[derive(Debug, Default)]
pub(crate) struct Ids(HashMap<String, Result<Option<Ulid>, Error>>);

/// What a future on the heap is for: the path of every other request does not carry it.
type Asked<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl Table {
    /// Wires the place that the settings name; nothing is asked yet.
    pub(crate) fn of(settings: &Settings, credentials: CredentialSource) -> Result<Self, ConfigError> {
        Ok(match &settings.table {
            None => Self::Nowhere,
            Some(TablePlace::DynamoDb(name)) => {
                Self::DynamoDb(Arc::new(DynamoTable::new(settings, name, credentials)?))
            }
            Some(TablePlace::Folder(folder)) => Self::Folder(folder.clone()),
        })
    }

    /// Takes one use of a link, if one is left: never is the same one given to two requests.
    pub(crate) fn take<'a>(&'a self, counted: &'a CountedUse) -> Asked<'a, Result<bool, Error>> {
        Box::pin(async move {
            match self {
                Self::Nowhere => Err(no_table()),
                Self::DynamoDb(table) => table.take(counted).await.map_err(shared),
                Self::Folder(folder) => folder::take(folder, counted).map_err(shared),
            }
        })
    }

    /// The ids of all `entries`, asked for at once; whatever is to get one at `now` has one then.
    pub(crate) async fn ids(&self, entries: Vec<&Entry>, now: SystemTime) -> Ids {
        if entries.is_empty() {
            return Ids::default();
        }
        let mut wanted: BTreeMap<String, bool> = BTreeMap::new();
        for entry in entries {
            *wanted.entry(entry.text()).or_default() |= entry.make;
        }
        Ids(self.ask(wanted, now).await)
    }

    /// The ids of these texts; those with `true` get one.
    fn ask(
        &self,
        wanted: BTreeMap<String, bool>,
        now: SystemTime,
    ) -> Asked<'_, HashMap<String, Result<Option<Ulid>, Error>>> {
        Box::pin(async move {
            match self {
                Self::Nowhere => wanted.into_keys().map(|text| (text, Err(no_table()))).collect(),
                Self::DynamoDb(table) => table.ids(wanted, now).await,
                Self::Folder(folder) => wanted
                    .into_iter()
                    .map(|(text, make)| {
                        let id = folder::id(folder, &text, make, now).map_err(shared);
                        (text, id)
                    })
                    .collect(),
            }
        })
    }
}

impl Ids {
    /// The id of `entry`, which must be among those that were asked for.
    pub(crate) fn of(&self, entry: &Entry) -> Result<Option<Ulid>, Error> {
        self.0.get(&entry.text()).cloned().unwrap_or_else(|| Err(no_table()))
    }
}

/// An id that nothing else has, and that nobody can foretell ([ULID](https://github.com/ulid/spec)).
pub(crate) fn fresh(now: SystemTime) -> Result<Ulid, RandomnessError> {
    let mut random = [0; 16];
    SystemRandom::new().fill(&mut random).map_err(|_| RandomnessError)?;
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let milliseconds = u64::try_from(since.as_millis()).unwrap_or_default();
    Ok(Ulid::from_parts(milliseconds, u128::from_be_bytes(random)))
}

#[derive(Debug, thiserror::Error)]
#[error("the system gives no randomness")]
pub(crate) struct RandomnessError;

#[derive(Debug, thiserror::Error)]
#[error("there is no table")]
struct NoTable;

fn no_table() -> Error {
    shared(NoTable)
}

pub(crate) fn shared(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Arc::new(error)
}
