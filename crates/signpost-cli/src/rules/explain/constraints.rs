//! Describes the constraints of a rule that apply to a request.

use bytesize::ByteSize;
use serde_json::{Value, json};
use signpost::operation::Operation;
use signpost::policy::{Constraints, Disposition};
use signpost::rejection::MAX_PUT_BYTES;

use crate::access_query::RequestMethod;

/// A constraint: the name of the rule field, its value, and its description.
pub(super) struct ConstraintRow {
    pub(super) field: &'static str,
    pub(super) value: Value,
    pub(super) description: String,
}

/// The constraints that apply to the request.
pub(super) fn applicable_constraints(constraints: &Constraints, method: RequestMethod) -> Vec<ConstraintRow> {
    let RequestMethod::Operation(operation) = method else {
        return Vec::new();
    };
    let mut rows = match operation {
        Operation::PutObject => upload_constraints(constraints),
        Operation::GetObject => download_constraints(constraints),
        Operation::HeadObject => reuse_url_for(constraints).into_iter().collect(),
        Operation::DeleteObject
        | Operation::CreateMultipartUpload
        | Operation::UploadPart
        | Operation::ListParts
        | Operation::CompleteMultipartUpload
        | Operation::AbortMultipartUpload => Vec::new(),
    };
    let client_may_set = constraints.client_may_set.iter();
    let client_may_set: Vec<_> = client_may_set
        .filter(|name| operation.parameter(name).is_some() || operation.signs_header(name))
        .collect();
    if !client_may_set.is_empty() {
        rows.push(ConstraintRow::list(
            "client_may_set",
            "the client may set",
            &client_may_set,
        ));
    }
    rows
}

fn upload_constraints(constraints: &Constraints) -> Vec<ConstraintRow> {
    let mut rows = vec![max_bytes(constraints.max_bytes), overwrite(constraints.overwrite)];
    if !constraints.content_types.is_empty() {
        rows.push(ConstraintRow::list(
            "content_types",
            "one of",
            &constraints.content_types,
        ));
    }
    if !constraints.metadata.is_empty() {
        let pairs = constraints
            .metadata
            .iter()
            .map(|(name, value)| format!("{name} = {value:?}"));
        rows.push(ConstraintRow {
            field: "metadata",
            value: json!(constraints.metadata),
            description: pairs.collect::<Vec<_>>().join(", "),
        });
    }
    let fixed_values = [
        ("storage_class", &constraints.storage_class),
        ("sse", &constraints.sse),
        ("sse_kms_key_id", &constraints.sse_kms_key_id),
    ];
    rows.extend(
        fixed_values
            .into_iter()
            .filter_map(|(field, value)| text_row(field, value.as_ref())),
    );
    rows
}

fn download_constraints(constraints: &Constraints) -> Vec<ConstraintRow> {
    let mut rows = vec![disposition(constraints.disposition)];
    rows.extend(reuse_url_for(constraints));
    rows.extend(text_row("cache_control", constraints.cache_control.as_ref()));
    rows
}

fn reuse_url_for(constraints: &Constraints) -> Option<ConstraintRow> {
    let window = constraints.reuse_url_for?;
    Some(ConstraintRow {
        field: "reuse_url_for",
        value: json!(window.as_secs()),
        description: format!(
            "{}: the same URL is returned during this time",
            humantime::format_duration(window)
        ),
    })
}

fn text_row(field: &'static str, value: Option<&String>) -> Option<ConstraintRow> {
    value.map(|value| ConstraintRow {
        field,
        value: json!(value),
        description: value.clone(),
    })
}

fn max_bytes(max_bytes: u64) -> ConstraintRow {
    let declared = if max_bytes < MAX_PUT_BYTES {
        "; the upload must declare its length"
    } else {
        ""
    };
    ConstraintRow {
        field: "max_bytes",
        value: json!(max_bytes),
        description: format!("{} ({max_bytes} bytes){declared}", ByteSize(max_bytes).display().iec()),
    }
}

fn overwrite(overwrite: bool) -> ConstraintRow {
    let description = if overwrite {
        "true: an existing object is replaced"
    } else {
        "false: S3 rejects the upload (412) if the object exists"
    };
    ConstraintRow {
        field: "overwrite",
        value: json!(overwrite),
        description: description.to_owned(),
    }
}

fn disposition(disposition: Disposition) -> ConstraintRow {
    let (value, description) = match disposition {
        Disposition::Attachment => ("attachment", "attachment: browsers save the object"),
        Disposition::Inline => ("inline", "inline: browsers may display the object"),
    };
    ConstraintRow {
        field: "disposition",
        value: json!(value),
        description: description.to_owned(),
    }
}

impl ConstraintRow {
    fn list(field: &'static str, label: &str, values: &[impl AsRef<str>]) -> Self {
        let values: Vec<_> = values.iter().map(AsRef::as_ref).collect();
        Self {
            field,
            value: json!(values),
            description: format!("{label} {}", values.join(", ")),
        }
    }
}
