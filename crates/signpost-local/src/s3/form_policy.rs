//! The policy of a form upload: its expiry and its conditions.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use super::form_upload::FormFields;
use super::verification::S3Rejection;

/// A parsed policy.
#[derive(Debug)]
pub(crate) struct FormPolicy {
    expiration: SystemTime,
    conditions: Vec<PolicyCondition>,
}

/// A condition, with its text for the error message.
#[derive(Debug)]
struct PolicyCondition {
    kind: ConditionKind,
    text: String,
}

#[derive(Debug)]
enum ConditionKind {
    Equals {
        field: String,
        value: String,
    },
    StartsWith {
        field: String,
        prefix: String,
    },
    Size {
        min: u64,
        max: u64,
    },
    /// A condition that no form meets, such as one whose field has no `$`.
    Unmet,
}

impl FormPolicy {
    /// Parses the Base64 text of a policy.
    pub(crate) fn parse(policy: &str) -> Result<Self, S3Rejection> {
        let document = STANDARD.decode(policy.trim()).ok();
        let document = document.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        let document = document.ok_or_else(|| invalid_policy("Invalid JSON."))?;
        let expiration = document.get("expiration").and_then(Value::as_str);
        let expiration = expiration.ok_or_else(|| invalid_policy("Policy missing expiration."))?;
        let conditions = document.get("conditions").and_then(Value::as_array);
        let conditions = conditions.ok_or_else(|| invalid_policy("Policy missing conditions."))?;
        Ok(Self {
            expiration: parse_expiration(expiration)
                .ok_or_else(|| invalid_policy(&format!("Invalid 'expiration' value: '{expiration}'")))?,
            conditions: conditions
                .iter()
                .map(PolicyCondition::parse)
                .collect::<Result<_, _>>()?,
        })
    }

    /// Checks everything except the size of the file.
    pub(crate) fn check(&self, fields: &FormFields, bucket: &str, now: SystemTime) -> Result<(), S3Rejection> {
        if self.expiration <= now {
            return Err(S3Rejection::PolicyExpired);
        }
        let unmet = self
            .conditions
            .iter()
            .find(|condition| !condition.is_met(fields, bucket));
        if let Some(condition) = unmet {
            return Err(S3Rejection::PolicyCondition(condition.text.clone()));
        }
        match fields.iter().find(|(name, _)| !self.mentions(name)) {
            Some((name, _)) => Err(S3Rejection::ExtraField(name.to_owned())),
            None => Ok(()),
        }
    }

    /// Returns the maximum size of the file.
    pub(crate) fn max_size(&self) -> Option<u64> {
        self.sizes().map(|(_, max)| max).min()
    }

    /// Checks the size of the file.
    pub(crate) fn check_size(&self, size: u64) -> Result<(), S3Rejection> {
        for (min, max) in self.sizes() {
            if size > max {
                return Err(S3Rejection::FileTooLarge { size, max });
            }
            if size < min {
                return Err(S3Rejection::FileTooSmall { size, min });
            }
        }
        Ok(())
    }

    fn sizes(&self) -> impl Iterator<Item = (u64, u64)> {
        self.conditions.iter().filter_map(|condition| match condition.kind {
            ConditionKind::Size { min, max } => Some((min, max)),
            _ => None,
        })
    }

    /// Returns true if the form may contain this field.
    fn mentions(&self, name: &str) -> bool {
        let is_exempt = matches!(name, "policy" | "x-amz-signature") || name.starts_with("x-ignore-");
        is_exempt
            || self.conditions.iter().any(|condition| match &condition.kind {
                ConditionKind::Equals { field, .. } | ConditionKind::StartsWith { field, .. } => field == name,
                ConditionKind::Size { .. } | ConditionKind::Unmet => false,
            })
    }
}

impl PolicyCondition {
    fn parse(condition: &Value) -> Result<Self, S3Rejection> {
        match condition {
            Value::Object(properties) => {
                let mut properties = properties.iter();
                let (Some((field, value)), None) = (properties.next(), properties.next()) else {
                    return Err(invalid_policy(
                        "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.",
                    ));
                };
                let value = value
                    .as_str()
                    .ok_or_else(|| invalid_policy("Invalid Simple-Condition: value must be a string."))?;
                Ok(Self {
                    kind: ConditionKind::Equals {
                        field: field.to_ascii_lowercase(),
                        value: value.to_owned(),
                    },
                    text: condition_text(&["eq".into(), format!("${field}").into(), value.into()]),
                })
            }
            Value::Array(items) => Self::parse_array(items),
            _ => Err(invalid_policy("Invalid Condition: it must be an object or an array.")),
        }
    }

    fn parse_array(items: &[Value]) -> Result<Self, S3Rejection> {
        let [operator, first, second] = items else {
            return Err(invalid_policy("Invalid Condition: wrong number of arguments."));
        };
        let operator = operator.as_str().unwrap_or_default().to_ascii_lowercase();
        let field = |value: &Value| Some(value.as_str()?.strip_prefix('$')?.to_ascii_lowercase());
        let kind = match operator.as_str() {
            "eq" => field(first)
                .zip(second.as_str())
                .map(|(field, value)| ConditionKind::Equals {
                    field,
                    value: value.into(),
                }),
            "starts-with" => field(first)
                .zip(second.as_str())
                .map(|(field, prefix)| ConditionKind::StartsWith {
                    field,
                    prefix: prefix.into(),
                }),
            "content-length-range" => integer(first)
                .zip(integer(second))
                .map(|(min, max)| ConditionKind::Size { min, max }),
            _ => {
                return Err(invalid_policy(&format!(
                    "Invalid Condition: unknown operation '{operator}'."
                )));
            }
        };
        Ok(Self {
            kind: kind.unwrap_or(ConditionKind::Unmet),
            text: condition_text(items),
        })
    }

    fn is_met(&self, fields: &FormFields, bucket: &str) -> bool {
        let value_of = |field: &str| match field {
            "bucket" => Some(bucket).filter(|bucket| fields.get("bucket").is_none_or(|given| given == *bucket)),
            field => fields.get(field),
        };
        match &self.kind {
            ConditionKind::Equals { field, value } => value_of(field) == Some(value),
            // S3 interprets a content type with commas as a list, and each element must meet the condition.
            ConditionKind::StartsWith { field, prefix } if field == "content-type" => value_of(field)
                .unwrap_or_default()
                .split(',')
                .all(|element| element.trim().starts_with(prefix)),
            ConditionKind::StartsWith { field, prefix } => value_of(field).unwrap_or_default().starts_with(prefix),
            ConditionKind::Size { .. } => true,
            ConditionKind::Unmet => false,
        }
    }
}

/// S3 accepts sizes as numbers and as text.
fn integer(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// Parses a date in UTC. S3 accepts no other offset and no space instead of `T`.
fn parse_expiration(text: &str) -> Option<SystemTime> {
    if !text.ends_with('Z') || !text.contains('T') {
        return None;
    }
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    (time.offset() == UtcOffset::UTC).then(|| time.into())
}

/// Formats a condition as S3 does in its messages: `["eq", "$key", "value"]`.
fn condition_text(items: &[Value]) -> String {
    let items: Vec<_> = items.iter().map(Value::to_string).collect();
    format!("[{}]", items.join(", "))
}

fn invalid_policy(reason: &str) -> S3Rejection {
    S3Rejection::InvalidPolicy(format!("Invalid Policy: {reason}"))
}
