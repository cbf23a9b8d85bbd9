//! The table in `DynamoDB`. Its partition key is the text `id`; `ends` is the time after which an item may go, and those of
//! keys have none.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use ulid::Ulid;

use super::credentials::CredentialSource;
use super::json_protocol::{JsonError, JsonService};
use super::signed_call::Service;
use crate::config::{ConfigError, Settings};
use crate::outbound::id_table::{Error, fresh, shared};
use crate::plan::CountedUse;

/// An item outlives its link by so much, since clocks differ: one that goes too early would lend its uses again.
const SLACK: Duration = Duration::from_hours(24);

/// How many entries one call looks up: with the longest keys, the answer is still one that is read whole. `DynamoDB` takes
/// up to 100.
const AT_ONCE: usize = 25;

/// How many calls are under way at once.
const MOST_CALLS: usize = 16;

/// What a call tells of the entries that it asked for.
type Found = Vec<(String, Result<Option<Ulid>, Error>)>;

/// A table.
#[derive(Debug)]
pub(crate) struct DynamoTable {
    service: JsonService,
    name: String,
}

impl DynamoTable {
    /// The table of this name or ARN; `credentials` are those of the function itself.
    pub(crate) fn new(settings: &Settings, name: &str, credentials: CredentialSource) -> Result<Self, ConfigError> {
        let service = Service::new("dynamodb", settings, settings.custom_dynamodb_endpoint(), credentials.0);
        let service = service.map_err(|problem| ConfigError {
            var: "AWS_ENDPOINT_URL_DYNAMODB",
            problem,
        })?;
        Ok(Self {
            service: JsonService::new(service, "DynamoDB_20120810", "application/x-amz-json-1.0"),
            name: name.to_owned(),
        })
    }

    /// Takes one use of a link, if one is left
    /// ([conditional updates](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html#WorkingWithItems.ConditionalUpdate)).
    /// Where the answer is lost on the way and the call repeated, a use may be lost with it; none is given twice.
    pub(crate) async fn take(&self, counted: &CountedUse) -> Result<bool, JsonError> {
        match self.service.call("UpdateItem", &self.update(counted)).await {
            Ok(_) => Ok(true),
            Err(JsonError::Refused { code, .. }) if code == "ConditionalCheckFailedException" => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The ids of the entries of these texts; those with `true` get one where they have none.
    pub(crate) async fn ids(
        self: &Arc<Self>,
        wanted: BTreeMap<String, bool>,
        now: SystemTime,
    ) -> HashMap<String, Result<Option<Ulid>, Error>> {
        let (make, find): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|(_, make)| *make);
        let find: Vec<_> = find.into_iter().map(|(text, _)| text).collect();
        let mut ids = HashMap::new();
        let mut calls = JoinSet::new();
        for texts in find.chunks(AT_ONCE) {
            let (table, texts) = (Arc::clone(self), texts.to_vec());
            calls.spawn(async move { table.find(texts).await });
        }
        for (text, _) in make {
            if calls.len() >= MOST_CALLS {
                ids.extend(calls.join_next().await.into_iter().flatten().flatten());
            }
            let table = Arc::clone(self);
            calls.spawn(async move { table.make(text, now).await });
        }
        ids.extend(calls.join_all().await.into_iter().flatten());
        ids
    }

    /// Looks entries up
    /// ([BatchGetItem](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html)).
    async fn find(&self, texts: Vec<String>) -> Found {
        let found = self.service.call("BatchGetItem", &self.lookup(&texts)).await;
        let found = found.and_then(|told| found_in(&told)).map_err(shared);
        let id = |text: &String| found.as_ref().map(|ids| ids.get(text).copied()).map_err(Arc::clone);
        let ids: Vec<_> = texts.iter().map(id).collect();
        texts.into_iter().zip(ids).collect()
    }

    /// The id of an entry, which gets one where it has none: of two requests at once, the one that comes second gets that of
    /// the first.
    async fn make(&self, text: String, now: SystemTime) -> Found {
        let made = match fresh(now) {
            Ok(id) => self.insert(&text, id).await.map(Some).map_err(shared),
            Err(error) => Err(shared(error)),
        };
        vec![(text, made)]
    }

    async fn insert(&self, text: &str, id: Ulid) -> Result<Ulid, JsonError> {
        let input = json!({
            "TableName": self.name,
            "Key": {"id": {"S": text}},
            "UpdateExpression": "SET #ulid = if_not_exists(#ulid, :ulid)",
            "ExpressionAttributeNames": {"#ulid": "ulid"},
            "ExpressionAttributeValues": {":ulid": {"S": id.to_string()}},
            "ReturnValues": "ALL_NEW",
        });
        let told = self.service.call("UpdateItem", &input).await?;
        ulid_of(&told["Attributes"]).ok_or(JsonError::Unreadable {
            operation: "UpdateItem",
        })
    }

    fn lookup(&self, texts: &[String]) -> Value {
        let keys: Vec<_> = texts.iter().map(|text| json!({"id": {"S": text}})).collect();
        let mut tables = serde_json::Map::new();
        tables.insert(self.name.clone(), json!({"Keys": keys, "ConsistentRead": true}));
        json!({"RequestItems": tables})
    }

    fn update(&self, counted: &CountedUse) -> Value {
        let ends = (counted.ends + SLACK).duration_since(SystemTime::UNIX_EPOCH);
        let number = |number: u64| json!({"N": number.to_string()});
        json!({
            "TableName": self.name,
            "Key": {"id": {"S": format!("use:{}", counted.link)}},
            "UpdateExpression": "SET #ends = :ends ADD #used :one",
            "ConditionExpression": "attribute_not_exists(#used) OR #used < :most",
            "ExpressionAttributeNames": {"#used": "used", "#ends": "ends"},
            "ExpressionAttributeValues": {
                ":one": number(1),
                ":most": number(counted.most.into()),
                ":ends": number(ends.unwrap_or_default().as_secs()),
            },
        })
    }
}

/// The ids in an answer, which has those of one table, by the name or the ARN that it was asked by.
fn found_in(told: &Value) -> Result<HashMap<String, Ulid>, JsonError> {
    let tables = told["Responses"]
        .as_object()
        .into_iter()
        .flat_map(serde_json::Map::values);
    let items = tables.flat_map(|items| items.as_array().into_iter().flatten());
    let ids = items.map(|item| Some((item["id"]["S"].as_str()?.to_owned(), ulid_of(item)?)));
    ids.collect::<Option<_>>().ok_or(JsonError::Unreadable {
        operation: "BatchGetItem",
    })
}

fn ulid_of(item: &Value) -> Option<Ulid> {
    Ulid::from_string(item["ulid"]["S"].as_str()?).ok()
}
