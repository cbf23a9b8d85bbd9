//! The location of an object whose id may have to be looked up in the id table.

use ulid::Ulid;

use crate::key::ObjectKey;
use crate::rejection::Rejection;

/// The location of the object of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectLocation {
    /// The storage key is known.
    Key(ObjectKey),
    /// The storage key contains an id, which must be looked up first.
    Lookup(Box<IdLookup>),
}

/// A lookup in the id table. The id of an entry never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdLookup {
    /// The folder in the bucket, which ends in `/`.
    pub folder: String,
    /// The public key of the object.
    pub public_key: ObjectKey,
    /// If true, a missing id is created.
    pub create: bool,
    /// The rejection if there is no id.
    pub missing: Rejection,
    /// The keys in the folder that rules deny.
    pub denied_keys: Vec<String>,
    /// The rejection for these keys.
    pub denial: Rejection,
}

impl IdLookup {
    /// The key of the entry in the id table. It is unique for a folder and a public key, because no folder contains
    /// braces.
    pub fn table_key(&self) -> String {
        format!("key:{}{{id}}:{}", self.folder, self.public_key)
    }

    /// The storage key with this id from the table.
    pub fn storage_key(&self, id: Option<Ulid>) -> Result<ObjectKey, Rejection> {
        let id = id.ok_or_else(|| self.missing.clone())?;
        let key = format!("{}{id}", self.folder);
        if self.denied_keys.contains(&key) {
            return Err(self.denial.clone());
        }
        Ok(ObjectKey::new(key)?)
    }
}
