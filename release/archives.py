"""Archives that depend only on their content: sorted names, no owners, and the time of the commit."""

import gzip
import io
import shutil
import tarfile
import time
import zipfile


def write_archive(path, folder, files, seconds):
    """Writes `files` (name: (bytes, executable)) below `folder` to a .tar.gz or .zip file."""
    entries = [(f"{folder}/{name}" if folder else name, *files[name]) for name in sorted(files)]
    if path.name.endswith(".zip"):
        write_zip(path, entries, seconds)
    else:
        write_tar(path, entries, seconds)


def write_zip(path, entries, seconds):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content, executable in entries:
            # A zip file cannot contain a time before 1980.
            entry = zipfile.ZipInfo(name, time.gmtime(max(seconds, 315532800))[:6])
            entry.create_system = 3  # Unix, so that the mode is used
            entry.external_attr = (0o100000 | mode(executable)) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


def write_tar(path, entries, seconds):
    with path.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=seconds) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content, executable in entries:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(content), mode(executable), seconds
            archive.addfile(entry, io.BytesIO(content))


def write_folder(folder, files):
    """Writes `files` to a folder, and deletes everything else in it."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, (content, _) in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def mode(executable):
    return 0o755 if executable else 0o644
