//! The messages of git-lfs to a custom transfer agent, and the responses of the agent
//! ([protocol](https://github.com/git-lfs/git-lfs/blob/main/docs/custom-transfers.md)). Each message is one line of JSON.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::operation_error::OperationError;

/// A message of git-lfs.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum LfsMessage {
    /// The first message.
    Init {},
    /// Upload an object.
    Upload(TransferRequest),
    /// Download an object.
    Download(TransferRequest),
    /// The last message.
    Terminate {},
}

/// A request to transfer an object.
#[derive(Debug, Deserialize)]
pub(super) struct TransferRequest {
    /// The SHA-256 digest of the object.
    pub(super) oid: String,
    pub(super) size: u64,
    /// The local file of an upload.
    pub(super) path: Option<PathBuf>,
    /// The action from the service; missing in standalone mode.
    pub(super) action: Option<TransferAction>,
}

/// An action from the service.
#[derive(Debug, Deserialize)]
pub(super) struct TransferAction {
    /// The URL of the object at the service.
    pub(super) href: String,
}

impl LfsMessage {
    /// Parses a line from git-lfs.
    pub(super) fn parse(line: &str) -> Result<Self, OperationError> {
        let invalid = |error| OperationError::usage(format!("git-lfs sent an unknown message: {error}"));
        serde_json::from_str(line).map_err(invalid)
    }
}

/// Confirms the first message.
pub(super) fn send_ready() -> io::Result<()> {
    send(&json!({}))
}

/// Reports how many bytes of an object have been transferred.
pub(super) fn send_progress(oid: &str, bytes_so_far: u64, bytes_since_last: u64) -> io::Result<()> {
    send(&json!({
        "event": "progress",
        "oid": oid,
        "bytesSoFar": bytes_so_far,
        "bytesSinceLast": bytes_since_last,
    }))
}

/// Reports the end of a transfer. `file` is the file of a download.
pub(super) fn send_complete(oid: &str, result: Result<Option<&Path>, &OperationError>) -> io::Result<()> {
    let mut message = json!({"event": "complete", "oid": oid});
    match result {
        Ok(None) => {}
        Ok(Some(file)) => message["path"] = json!(file),
        Err(error) => {
            message["error"] = json!({"code": error.exit_status.code(), "message": error.to_string()});
        }
    }
    send(&message)
}

fn send(message: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{message}")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_messages_of_the_specification_are_parsed() {
        let init =
            r#"{"event":"init","operation":"download","remote":"origin","concurrent":true,"concurrenttransfers":3}"#;
        assert!(matches!(LfsMessage::parse(init), Ok(LfsMessage::Init {})));
        let upload = r#"{"event":"upload","oid":"bf3e3e2a","size":346232,"path":"/path/to/file.png","action":{"href":"https://h/k","header":{"key":"value"}}}"#;
        let Ok(LfsMessage::Upload(request)) = LfsMessage::parse(upload) else {
            panic!("not an upload");
        };
        assert_eq!((request.oid.as_str(), request.size), ("bf3e3e2a", 346_232));
        assert_eq!(request.path.as_deref(), Some(Path::new("/path/to/file.png")));
        assert_eq!(request.action.unwrap().href, "https://h/k");
        let download = r#"{"event":"download","oid":"22ab5f63","size":21245,"action":null}"#;
        let Ok(LfsMessage::Download(request)) = LfsMessage::parse(download) else {
            panic!("not a download");
        };
        assert!(request.path.is_none() && request.action.is_none());
        assert!(matches!(
            LfsMessage::parse(r#"{"event":"terminate"}"#),
            Ok(LfsMessage::Terminate {})
        ));
        for invalid in [
            "",
            "{}",
            "[]",
            r#"{"event":"upload"}"#,
            r#"{"event":"upload","oid":"a","size":-1}"#,
        ] {
            assert!(LfsMessage::parse(invalid).is_err(), "{invalid}");
        }
    }
}
