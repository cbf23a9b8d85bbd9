//! The differences between the operating systems: positions in files, identities of files, and private files.

#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;

#[cfg(unix)]
mod unix {
    use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
    use std::io;
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::{
        DirBuilderExt as _, FileExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    };
    use std::path::Path;

    /// Fills the buffer with the bytes at this position of the file.
    pub(crate) fn read_exact_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<()> {
        file.read_exact_at(buffer, at)
    }

    /// Writes all bytes to this position of the file.
    pub(crate) fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        file.write_all_at(bytes, at)
    }

    /// Returns true for a FIFO or a character device, whose bytes can be read only once.
    pub(crate) fn is_stream(metadata: &Metadata) -> bool {
        let kind = metadata.file_type();
        kind.is_fifo() || kind.is_char_device()
    }

    /// Returns true if standard input is a file or a pipe, and not a terminal, a device or a socket.
    pub(crate) fn has_piped_input() -> bool {
        let input = io::stdin().as_fd().try_clone_to_owned();
        let metadata = input.and_then(|input| File::from(input).metadata());
        metadata.is_ok_and(|metadata| metadata.is_file() || metadata.file_type().is_fifo())
    }

    /// Returns two numbers that identify the file, even if its content changes.
    pub(crate) fn file_id(metadata: &Metadata) -> (u64, u64) {
        (metadata.dev(), metadata.ino())
    }

    /// Returns the time of the last change of the content, in seconds and nanoseconds.
    pub(crate) fn modified(metadata: &Metadata) -> (i64, i64) {
        (metadata.mtime(), metadata.mtime_nsec())
    }

    /// Creates a folder and its missing parents, for this user only.
    pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    /// Creates or empties a file that only this user may read.
    pub(crate) fn create_private_file(path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
        // An existing file may have had other permissions.
        file.set_permissions(Permissions::from_mode(0o600))?;
        Ok(file)
    }

    /// Returns true if other users may access the file.
    pub(crate) fn is_shared(metadata: &Metadata) -> bool {
        metadata.permissions().mode() & 0o077 != 0
    }
}

/// On Windows, the folders of a user are private already: new files inherit their access control lists.
#[cfg(windows)]
mod windows {
    use std::fs::{self, File, Metadata};
    use std::io;
    use std::os::windows::fs::{FileExt as _, MetadataExt as _};
    use std::path::Path;

    pub(crate) fn read_exact_at(file: &File, mut buffer: &mut [u8], mut at: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match file.seek_read(buffer, at) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    buffer = &mut buffer[read..];
                    at += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(crate) fn write_all_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match file.seek_write(bytes, at) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    bytes = &bytes[written..];
                    at += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(crate) fn is_stream(_metadata: &Metadata) -> bool {
        false
    }

    /// The kind of standard input is not available on stable Rust.
    pub(crate) fn has_piped_input() -> bool {
        false
    }

    /// The file number is not available on stable Rust. A replaced file has another creation time.
    pub(crate) fn file_id(metadata: &Metadata) -> (u64, u64) {
        (0, metadata.creation_time())
    }

    pub(crate) fn modified(metadata: &Metadata) -> (i64, i64) {
        (metadata.last_write_time().cast_signed(), 0)
    }

    pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    pub(crate) fn create_private_file(path: &Path) -> io::Result<File> {
        File::create(path)
    }

    pub(crate) fn is_shared(_metadata: &Metadata) -> bool {
        false
    }
}
