//! The id table in `DynamoDB`. Its partition key is the string `id`. The attribute `ends` is the time to live of an item;
//! items with the id of an object do not have it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use ulid::Ulid;

use super::credentials::CredentialSource;
use super::json_protocol::JsonService;
use super::signed_call::AwsService;
use crate::config::{ConfigError, Settings};
use crate::outbound::https_client::{HttpsClient, Idempotency};
use crate::outbound::id_lookup::{IdLookupResult, new_id, shared};
use crate::outbound::outbound_error::OutboundError;
use crate::plan::LinkUse;

/// The time for which an item outlives its link. Clocks differ, and a link whose item is deleted too early could be used
/// again.
const EXPIRY_MARGIN: Duration = Duration::from_hours(24);

/// The number of items in one `BatchGetItem`. `DynamoDB` allows 100, but the response with the longest keys must not exceed
/// the limit on responses.
const BATCH_SIZE: usize = 25;

/// The maximum number of concurrent calls.
const MAX_CONCURRENT_CALLS: usize = 16;

/// The ids of the items that one call has requested.
type BatchResult = Vec<(String, IdLookupResult)>;

/// An id table in `DynamoDB`.
#[derive(Debug)]
pub(crate) struct DynamoTable {
    service: JsonService,
    name: String,
}

impl DynamoTable {
    /// Returns the table with this name or ARN. `credentials` are those of the function itself.
    pub(crate) fn new(
        settings: &Settings,
        name: &str,
        credentials: CredentialSource,
        https: HttpsClient,
    ) -> Result<Self, ConfigError> {
        let endpoint = settings.custom_dynamodb_endpoint();
        let service = AwsService::new("dynamodb", settings, endpoint, credentials.0, https);
        let service = service.map_err(|problem| ConfigError {
            var: "AWS_ENDPOINT_URL_DYNAMODB",
            problem,
        })?;
        Ok(Self {
            service: JsonService::new(service, "DynamoDB_20120810", "application/x-amz-json-1.0"),
            name: name.to_owned(),
        })
    }

    /// Opens a connection for the first call. A failure is not reported, because the call opens its own.
    pub(crate) async fn connect(&self) {
        self.service.connect().await;
    }

    /// Consumes one use of a link. Returns false if none is left
    /// ([conditional updates](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html#WorkingWithItems.ConditionalUpdate)).
    /// If a response is lost and the call is repeated, one use may be lost. No use is granted twice.
    pub(crate) async fn consume(&self, counted: &LinkUse) -> Result<bool, OutboundError> {
        let input = self.use_update(counted);
        match self
            .service
            .call("UpdateItem", &input, Idempotency::NotIdempotent)
            .await
        {
            Ok(_) => Ok(true),
            Err(OutboundError::Rejected { code, .. }) if code == "ConditionalCheckFailedException" => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns the ids of these items. An item with `true` is created if it does not exist.
    pub(crate) async fn ids(
        self: &Arc<Self>,
        items: BTreeMap<String, bool>,
        now: SystemTime,
    ) -> HashMap<String, IdLookupResult> {
        let (create, find): (Vec<_>, Vec<_>) = items.into_iter().partition(|(_, create)| *create);
        let find: Vec<_> = find.into_iter().map(|(text, _)| text).collect();
        let mut ids = HashMap::new();
        let mut calls = JoinSet::new();
        for texts in find.chunks(BATCH_SIZE) {
            let (table, texts) = (Arc::clone(self), texts.to_vec());
            calls.spawn(async move { table.find(texts).await });
        }
        for (text, _) in create {
            if calls.len() >= MAX_CONCURRENT_CALLS {
                ids.extend(calls.join_next().await.into_iter().flatten().flatten());
            }
            let table = Arc::clone(self);
            calls.spawn(async move { table.create(text, now).await });
        }
        ids.extend(calls.join_all().await.into_iter().flatten());
        ids
    }

    /// Looks up items
    /// ([BatchGetItem](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html)).
    async fn find(&self, texts: Vec<String>) -> BatchResult {
        let input = self.lookup(&texts);
        let found = self.service.call("BatchGetItem", &input, Idempotency::Idempotent).await;
        let found = found.and_then(|output| ids_in(&output)).map_err(shared);
        let id = |text: &String| found.as_ref().map(|ids| ids.get(text).copied()).map_err(Arc::clone);
        let ids: Vec<_> = texts.iter().map(id).collect();
        texts.into_iter().zip(ids).collect()
    }

    /// Returns the id of an item, which is created if it does not exist. Of two concurrent requests, the second receives the
    /// id of the first.
    async fn create(&self, text: String, now: SystemTime) -> BatchResult {
        let created = match new_id(now) {
            Ok(id) => self.insert(&text, id).await.map(Some).map_err(shared),
            Err(error) => Err(shared(error)),
        };
        vec![(text, created)]
    }

    async fn insert(&self, text: &str, id: Ulid) -> Result<Ulid, OutboundError> {
        let input = json!({
            "TableName": self.name,
            "Key": {"id": {"S": text}},
            "UpdateExpression": "SET #ulid = if_not_exists(#ulid, :ulid)",
            "ExpressionAttributeNames": {"#ulid": "ulid"},
            "ExpressionAttributeValues": {":ulid": {"S": id.to_string()}},
            "ReturnValues": "ALL_NEW",
        });
        let output = self.service.call("UpdateItem", &input, Idempotency::Idempotent).await?;
        ulid_of(&output["Attributes"]).ok_or_else(no_ulid)
    }

    /// Reads the items with these ids.
    pub(super) async fn read_items(&self, ids: &[String]) -> Result<Vec<Value>, OutboundError> {
        let input = self.lookup(ids);
        let mut output = self
            .service
            .call("BatchGetItem", &input, Idempotency::Idempotent)
            .await?;
        match output["Responses"][&self.name].take() {
            Value::Array(items) => Ok(items),
            _ => Ok(Vec::new()),
        }
    }

    /// Updates the item with this id. `update` has a condition, which the item no longer fulfils after the update.
    pub(super) async fn update_item(&self, id: &str, mut update: Value) -> Result<Value, OutboundError> {
        update["TableName"] = json!(self.name);
        update["Key"] = json!({"id": {"S": id}});
        self.service
            .call("UpdateItem", &update, Idempotency::NotIdempotent)
            .await
    }

    fn lookup(&self, texts: &[String]) -> Value {
        let keys: Vec<_> = texts.iter().map(|text| json!({"id": {"S": text}})).collect();
        let mut tables = serde_json::Map::new();
        tables.insert(self.name.clone(), json!({"Keys": keys, "ConsistentRead": true}));
        json!({"RequestItems": tables})
    }

    fn use_update(&self, counted: &LinkUse) -> Value {
        let ends = (counted.expires_at + EXPIRY_MARGIN).duration_since(SystemTime::UNIX_EPOCH);
        let number = |number: u64| json!({"N": number.to_string()});
        json!({
            "TableName": self.name,
            "Key": {"id": {"S": format!("use:{}", counted.link_id)}},
            "UpdateExpression": "SET #ends = :ends ADD #used :one",
            "ConditionExpression": "attribute_not_exists(#used) OR #used < :most",
            "ExpressionAttributeNames": {"#used": "used", "#ends": "ends"},
            "ExpressionAttributeValues": {
                ":one": number(1),
                ":most": number(counted.max_uses.into()),
                ":ends": number(ends.unwrap_or_default().as_secs()),
            },
        })
    }
}

/// Returns the ids in a response. It has the items of one table, under the name or ARN of the request.
fn ids_in(output: &Value) -> Result<HashMap<String, Ulid>, OutboundError> {
    let tables = output["Responses"]
        .as_object()
        .into_iter()
        .flat_map(serde_json::Map::values);
    let items = tables.flat_map(|items| items.as_array().into_iter().flatten());
    let ids = items.map(|item| Some((item["id"]["S"].as_str()?.to_owned(), ulid_of(item)?)));
    ids.collect::<Option<_>>().ok_or_else(no_ulid)
}

fn ulid_of(item: &Value) -> Option<Ulid> {
    Ulid::from_string(item["ulid"]["S"].as_str()?).ok()
}

fn no_ulid() -> OutboundError {
    OutboundError::invalid_response("DynamoDB", "an item has no ULID")
}
