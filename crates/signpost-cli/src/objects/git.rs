//! The folder of git-lfs and the credentials of the helpers of git, for `signpost lfs`.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::blocking_task::run_blocking;
use crate::credential::ServiceCredential;
use crate::operation_error::OperationError;
use crate::secret_text::SecretText;

/// The folder in which git-lfs stores objects, so that it can move a file there.
pub(super) async fn lfs_folder() -> Result<PathBuf, OperationError> {
    let folder = run_blocking(|| {
        let common = PathBuf::from(output(&["rev-parse", "--path-format=absolute", "--git-common-dir"])?);
        Some(match output(&["config", "--type=path", "lfs.storage"]) {
            Some(storage) => common.join(storage),
            None => common.join("lfs"),
        })
    });
    let no_repository = || OperationError::usage("git-lfs must run this command in a repository");
    folder.await.ok_or_else(no_repository)
}

/// The credential that the helpers of git store for a service.
pub(super) async fn stored_credential(origin: &str) -> Option<ServiceCredential> {
    let description = format!("url={origin}\n\n");
    run_blocking(move || parse_credential(&fill_credential(&description)?)).await
}

fn output(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim_end_matches(['\r', '\n']);
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}

/// Asks the helpers of git. git does not prompt, because git-lfs has done so.
fn fill_credential(description: &str) -> Option<String> {
    let mut child = Command::new("git")
        .args(["-c", "core.askPass=", "credential", "fill"])
        .env("GIT_TERMINAL_PROMPT", "0")
        .env_remove("GIT_ASKPASS")
        .env_remove("SSH_ASKPASS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    // Dropping standard input ends the description.
    child.stdin.take()?.write_all(description.as_bytes()).ok()?;
    String::from_utf8(child.wait_with_output().ok()?.stdout).ok()
}

fn parse_credential(text: &str) -> Option<ServiceCredential> {
    let value = |name: &str| {
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
    };
    Some(ServiceCredential::Basic {
        user: value("username")?.to_owned(),
        password: SecretText::new(value("password")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_of_git_has_a_name_and_a_password() {
        let text = "protocol=https\nhost=h\nusername=ann\npassword=a=b\n";
        let expected = ServiceCredential::Basic {
            user: "ann".into(),
            password: SecretText::new("a=b"),
        };
        assert_eq!(parse_credential(text), Some(expected));
        assert_eq!(parse_credential("username=ann\n"), None);
        assert_eq!(parse_credential(""), None);
    }
}
