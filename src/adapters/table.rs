//! What must be remembered between requests: how often a share link has been used.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use super::aws::{CredentialSource, DynamoTable};
use crate::config::{ConfigError, Settings, TablePlace};
use crate::plan::CountedUse;
use crate::rejection::Rejection;
use crate::response::{Failure, Trouble};

/// Where it is remembered.
#[derive(Clone, Debug)]
pub(crate) enum Table {
    Nowhere,
    DynamoDb(Arc<DynamoTable>),
    Folder(PathBuf),
}

type Error = Box<dyn std::error::Error + Send + Sync>;

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

    /// Takes one use of a link, if one is left: never is the same one given to two requests. The future stands on the
    /// heap, so that the path of every other request does not carry it.
    pub(crate) fn take<'a>(
        &'a self,
        counted: &'a CountedUse,
    ) -> Pin<Box<dyn Future<Output = Result<(), Trouble>> + Send + 'a>> {
        Box::pin(async move {
            let taken = match self {
                Self::Nowhere => Err("there is no table".into()),
                Self::DynamoDb(table) => table.take(counted).await.map_err(Error::from),
                Self::Folder(folder) => take_in(folder, counted).map_err(Error::from),
            };
            match taken {
                Ok(true) => Ok(()),
                Ok(false) => Err(Trouble::Rejected(Rejection::BadCredential {
                    problem: "the share link has been used as often as it may be",
                })),
                Err(error) => Err(Trouble::Failed(Failure::NoTable(error))),
            }
        })
    }
}

/// Each use is a file that only one request can create.
fn take_in(folder: &PathBuf, counted: &CountedUse) -> io::Result<bool> {
    std::fs::create_dir_all(folder)?;
    for number in 1..=counted.most {
        match File::create_new(folder.join(format!("use.{}.{number}", counted.link))) {
            Ok(_) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}
