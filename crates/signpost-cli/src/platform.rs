//! The differences between the operating systems: positions in files, identities and attributes of files, open files, and
//! private files.

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
        fchown,
    };
    use std::path::Path;

    #[cfg(target_os = "linux")]
    use rustix::io::Errno;
    #[cfg(target_os = "linux")]
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

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

    /// Returns another handle of the open file with this number, with the same position. On Linux, the path `/dev/fd/N` would
    /// open the file again.
    #[cfg(target_os = "linux")]
    pub(crate) fn duplicate_descriptor(number: i32) -> io::Result<File> {
        let process = pidfd_open(getpid(), PidfdFlags::empty())?;
        match pidfd_getfd(process, number, PidfdGetfdFlags::empty()) {
            Ok(descriptor) => Ok(File::from(descriptor)),
            Err(Errno::PERM | Errno::NOSYS) => reopen_stream(number),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a pipe or a device again. Containers can forbid duplicates.
    #[cfg(target_os = "linux")]
    fn reopen_stream(number: i32) -> io::Result<File> {
        let file = OpenOptions::new()
            .append(true)
            .open(format!("/proc/self/fd/{number}"))?;
        if file.metadata()?.is_file() {
            let advice =
                format!("the system does not allow this for files; write to standard output: `-o - >&{number}`");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, advice));
        }
        Ok(file)
    }

    /// Returns another handle of the open file with this number, with the same position.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn duplicate_descriptor(number: i32) -> io::Result<File> {
        OpenOptions::new().append(true).open(format!("/dev/fd/{number}"))
    }

    /// Gives a new file the owner, the group and the mode of an existing file, as far as the system allows it.
    pub(crate) fn copy_attributes(existing: &Metadata, file: &File) -> io::Result<()> {
        if fchown(file, Some(existing.uid()), Some(existing.gid())).is_err() {
            let _ = fchown(file, None, Some(existing.gid()));
        }
        let new = file.metadata()?;
        let is_same_owner = (new.uid(), new.gid()) == (existing.uid(), existing.gid());
        // A set-user-ID bit must not apply to another user.
        let mask = if is_same_owner { 0o7777 } else { 0o777 };
        file.set_permissions(Permissions::from_mode(existing.mode() & mask))
    }

    /// Allows only this user to read the file.
    pub(crate) fn make_private(file: &File) -> io::Result<()> {
        file.set_permissions(Permissions::from_mode(0o600))
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
        make_private(&file)?;
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

    pub(crate) fn duplicate_descriptor(_number: i32) -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn copy_attributes(existing: &Metadata, file: &File) -> io::Result<()> {
        file.set_permissions(existing.permissions())
    }

    pub(crate) fn make_private(_file: &File) -> io::Result<()> {
        Ok(())
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
