//! The values of claims, and the groups in them. A value is exact, or there is none.

use serde_json::Value;

use super::principal::qualified_group;

/// The groups of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Groups {
    /// The qualified names of the groups.
    pub(super) names: Vec<String>,
    /// True if the claim may contain other groups than these.
    pub(super) are_ambiguous: bool,
}

/// Returns the text of a claim with a single exact value. Of the numbers, only 64-bit integers have one: others lose
/// digits, so two different numbers could become equal.
pub(super) fn exact_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::String(_) | Value::Number(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Returns the text of a claim that a gateway reports. A text that the gateway may have made from an array, an object, a
/// rounded number or `null` has no value.
pub(super) fn gateway_text(value: &Value) -> Option<String> {
    exact_text(value).filter(|text| !is_array(text) && !is_object(text) && !is_rounded(text) && text != "<nil>")
}

/// An HTTP API flattens an array to `[a b]`, and a REST API to `a,b`.
fn is_array(text: &str) -> bool {
    text.starts_with('[') || text.contains(',')
}

fn is_object(text: &str) -> bool {
    text.starts_with('{') || text.starts_with("map[")
}

fn is_rounded(text: &str) -> bool {
    let is_integer = text.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
    !is_integer && text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) && text.parse::<f32>().is_ok()
}

/// Returns the groups in the claim `name` of `issuer`: each text of an array, or the whole text of a single value.
pub(super) fn groups<'a>(issuer: &str, name: Option<&str>, claim: impl Fn(&str) -> Option<&'a Value>) -> Groups {
    let Some(name) = name else { return Groups::default() };
    match claim(name) {
        None | Some(Value::Null) => Groups {
            names: Vec::new(),
            are_ambiguous: are_elsewhere(name, claim),
        },
        Some(Value::Array(elements)) => Groups {
            names: elements.iter().filter_map(|element| group(issuer, element)).collect(),
            are_ambiguous: !elements.iter().all(Value::is_string),
        },
        Some(Value::String(text)) => Groups {
            names: qualified_group(issuer, text).into_iter().collect(),
            are_ambiguous: !is_single_group(text),
        },
        Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => Groups {
            names: Vec::new(),
            are_ambiguous: true,
        },
    }
}

fn group(issuer: &str, element: &Value) -> Option<String> {
    qualified_group(issuer, element.as_str()?)
}

/// Returns true if the token contains a reference to the groups instead of the groups
/// ([distributed claims](https://openid.net/specs/openid-connect-core-1_0.html#AggregatedDistributedClaims)). Entra sends
/// such a reference for a user with many groups.
fn are_elsewhere<'a>(name: &str, claim: impl Fn(&str) -> Option<&'a Value>) -> bool {
    let is_referenced = match claim("_claim_names") {
        None | Some(Value::Null) => false,
        Some(Value::Object(names)) => names.contains_key(name),
        Some(_) => true,
    };
    let has_flag = |flag: &Value| !matches!(flag, Value::Null | Value::Bool(false)) && flag != "false";
    is_referenced || claim("hasgroups").is_some_and(has_flag)
}

/// Returns true if `text` names at most one group. A text with a separator may be a list.
fn is_single_group(text: &str) -> bool {
    let plain = |character: char| character.is_alphanumeric() || "._@:+=/-".contains(character);
    text == "[]" || text.chars().all(plain)
}
