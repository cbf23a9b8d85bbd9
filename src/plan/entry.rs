//! Objects that only the table can find: it has the ids under which they are kept.

use ulid::Ulid;

use crate::key::ObjectKey;
use crate::rejection::Rejection;

/// Where the object of a plan is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Under this key.
    At(ObjectKey),
    /// By this entry of the table, which must be asked first.
    By(Box<Entry>),
}

/// What is to be asked of the table. Once an entry has an id, it keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The folder in the bucket, which ends in `/`.
    pub folder: String,
    /// What clients call the object.
    pub name: ObjectKey,
    /// Whether it gets an id where it has none.
    pub make: bool,
    /// What the client is told where there is none.
    pub missing: Rejection,
    /// The keys in the folder that rules deny.
    pub denied: Vec<String>,
    /// What the client is told of those.
    pub refusal: Rejection,
}

impl Entry {
    /// The text by which the table knows it. No other folder and name have the same, since no folder has braces.
    pub fn text(&self) -> String {
        format!("key:{}{{id}}:{}", self.folder, self.name)
    }

    /// The key in the bucket, with the id that the table has.
    pub fn key(&self, id: Option<Ulid>) -> Result<ObjectKey, Rejection> {
        let id = id.ok_or_else(|| self.missing.clone())?;
        let key = format!("{}{id}", self.folder);
        if self.denied.contains(&key) {
            return Err(self.refusal.clone());
        }
        Ok(ObjectKey::new(key)?)
    }
}
