//! A rules file that a command changes. Its new content is valid, and other programs never see an incomplete file.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use signpost::policy::Policy;

use crate::command_report::CommandError;
use crate::platform;

/// A valid rules file. No other command can change it at the same time.
pub(crate) struct EditableRules<'a> {
    path: &'a Path,
    text: String,
    policy: Policy,
    replacement: ReplacementFile,
}

/// A rules file with a new and valid text, which is not stored yet.
pub(crate) struct ChangedRules<'a> {
    rules: EditableRules<'a>,
    text: String,
}

/// A new file in the same folder, which replaces the rules file. It is deleted if the command fails.
struct ReplacementFile {
    file: File,
    path: PathBuf,
    /// The rules file, after all symbolic links.
    target: PathBuf,
    /// True after the rename. Then another command can have created a file with the same name.
    is_used: bool,
}

impl<'a> EditableRules<'a> {
    pub(crate) fn open(path: &'a Path) -> Result<Self, CommandError> {
        if path == Path::new("-") {
            return Err(CommandError::Usage(
                "the command changes the file, so it cannot read standard input".into(),
            ));
        }
        let unreadable = |source| CommandError::Read {
            file: path.display().to_string(),
            source,
        };
        let target = fs::canonicalize(path).map_err(unreadable)?;
        if !fs::metadata(&target).map_err(unreadable)?.is_file() {
            return Err(CommandError::File {
                file: path.display().to_string(),
                message: "the rules must be in a regular file, because the command replaces the file".into(),
            });
        }
        // The file is read after this, so that no change of another command is lost.
        let replacement = ReplacementFile::create(target)?;
        let text = fs::read_to_string(path).map_err(unreadable)?;
        Ok(Self {
            path,
            policy: parse(path, &text)?,
            text,
            replacement,
        })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Returns the file with a new text, which must be valid. [`ChangedRules::store`] writes it.
    pub(crate) fn change(self, text: String) -> Result<ChangedRules<'a>, CommandError> {
        parse(self.path, &text)?;
        Ok(ChangedRules { rules: self, text })
    }

    /// An error about this file.
    pub(crate) fn error(&self, message: String) -> CommandError {
        CommandError::File {
            file: self.path.display().to_string(),
            message,
        }
    }
}

impl ChangedRules<'_> {
    pub(crate) fn store(mut self) -> Result<(), CommandError> {
        let stored = self.rules.replacement.replace_target(&self.text);
        stored.map_err(|error| self.rules.error(format!("failed to write the file: {error}")))
    }
}

fn parse(path: &Path, text: &str) -> Result<Policy, CommandError> {
    Policy::parse(text).map_err(|source| CommandError::Rules {
        file: path.display().to_string(),
        source,
    })
}

impl ReplacementFile {
    fn create(target: PathBuf) -> Result<Self, CommandError> {
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let path = target.with_file_name(name);
        let error = |message: String| CommandError::File {
            file: path.display().to_string(),
            message,
        };
        match File::create_new(&path) {
            Ok(file) => Ok(Self {
                file,
                path,
                target,
                is_used: false,
            }),
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Err(error(
                "another command is changing the rules; if none is running, delete this file".to_owned(),
            )),
            Err(cause) => Err(error(format!("failed to create the file: {cause}"))),
        }
    }

    fn replace_target(&mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        platform::copy_attributes(&fs::metadata(&self.target)?, &self.file)?;
        self.file.sync_all()?;
        fs::rename(&self.path, &self.target)?;
        self.is_used = true;
        Ok(())
    }
}

impl Drop for ReplacementFile {
    fn drop(&mut self) {
        if !self.is_used {
            // The command reports another error.
            let _ = fs::remove_file(&self.path);
        }
    }
}
