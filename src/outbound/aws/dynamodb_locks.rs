//! The locks of git-lfs in `DynamoDB`.
//!
//! Each lock is an attribute of an item, so that one call reads all locks of a repository, and a condition on the attribute
//! makes each change atomic. A repository has several items, because `DynamoDB` limits the size of an item to 400 KB.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::dynamodb::DynamoTable;
use crate::encoding::hex;
use crate::outbound::id_lookup::LockChange;
use crate::outbound::outbound_error::OutboundError;
use crate::plan::Lock;

/// The first digits of the attribute names, each with an item of its own.
const SHARDS: &str = "0123456789abcdef";

/// The prefix of the attributes that contain locks.
const ATTRIBUTE: &str = "lock_";

impl DynamoTable {
    /// Returns all locks of a repository.
    pub(crate) async fn locks(&self, repository: &str) -> Result<Vec<Lock>, OutboundError> {
        let ids: Vec<_> = SHARDS.chars().map(|shard| item_id(repository, shard)).collect();
        let mut locks = Vec::new();
        for item in self.read_items(&ids).await? {
            let attributes = item.as_object().into_iter().flatten();
            for (_, lock) in attributes.filter(|(name, _)| name.starts_with(ATTRIBUTE)) {
                let lock = Lock::from_fields(|name| lock["M"][name]["S"].as_str());
                locks.push(lock.ok_or_else(invalid_lock)?);
            }
        }
        Ok(locks)
    }

    /// Adds a lock, unless there is one for the same path.
    pub(crate) async fn add_lock(&self, repository: &str, lock: &Lock) -> Result<LockChange, OutboundError> {
        let fields = lock.fields().map(|(name, text)| (name.to_owned(), json!({"S": text})));
        let fields: Map<_, _> = fields.into_iter().collect();
        self.change_lock(
            repository,
            lock,
            json!({
                "UpdateExpression": "SET #lock = :lock",
                "ConditionExpression": "attribute_not_exists(#lock)",
                "ExpressionAttributeNames": {"#lock": attribute(lock)},
                "ExpressionAttributeValues": {":lock": {"M": fields}},
            }),
        )
        .await
    }

    /// Removes a lock, unless it has been replaced by another one.
    pub(crate) async fn remove_lock(&self, repository: &str, lock: &Lock) -> Result<LockChange, OutboundError> {
        self.change_lock(
            repository,
            lock,
            json!({
                "UpdateExpression": "REMOVE #lock",
                "ConditionExpression": "#lock.#id = :id",
                "ExpressionAttributeNames": {"#lock": attribute(lock), "#id": "id"},
                "ExpressionAttributeValues": {":id": {"S": lock.id.to_string()}},
            }),
        )
        .await
    }

    async fn change_lock(&self, repository: &str, lock: &Lock, update: Value) -> Result<LockChange, OutboundError> {
        let shard = attribute(lock)[ATTRIBUTE.len()..].chars().next().unwrap_or_default();
        match self.update_item(&item_id(repository, shard), update).await {
            Ok(_) => Ok(LockChange::Done),
            Err(OutboundError::Rejected { code, .. }) if code == "ConditionalCheckFailedException" => {
                Ok(LockChange::Conflict)
            }
            Err(OutboundError::Rejected { code, message, .. })
                if code == "ValidationException" && message.contains("Item size") =>
            {
                Ok(LockChange::Full)
            }
            Err(error) => Err(error),
        }
    }
}

/// The id of an item. No id of an object and no use of a share link begins like this.
fn item_id(repository: &str, shard: char) -> String {
    format!("lock:{shard}:{repository}")
}

/// The attribute of the lock on a path. A hash, because attribute names are limited.
fn attribute(lock: &Lock) -> String {
    format!("{ATTRIBUTE}{}", hex(&Sha256::digest(&lock.path)))
}

fn invalid_lock() -> OutboundError {
    OutboundError::invalid_response("DynamoDB", "an item has an invalid lock")
}
