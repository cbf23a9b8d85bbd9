"""The package that `sam build` makes, its size, and packages for a binary that exists already.

    python package.py LIMIT     checks the package of the last `sam build`, and that its zip has at most LIMIT bytes
"""

import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / ".aws-sam/build"


def template_of(binary, folder):
    """Packages `binary` below `folder`, and returns a template that refers to the package."""
    from samcli import yamlhelper

    package = folder / "Function"
    package.mkdir(parents=True)
    subprocess.run(["strip", "-o", package / "bootstrap", binary], check=True)
    template = yamlhelper.yaml_parse((ROOT / "template.yaml").read_text())
    template["Resources"]["Function"]["Properties"]["CodeUri"] = "Function"
    del template["Resources"]["Function"]["Metadata"]
    (folder / "template.yaml").write_text(yamlhelper.yaml_dump(template))
    return folder / "template.yaml"


def packaged_stack(folder):
    """The packaged stack for x86_64, as `release/build` makes it: the folder in SIGNPOST_STACK, or a new one.

    The new one contains the binary in SIGNPOST_BINARY, or the binary of the last `sam build`.
    """
    if given := os.environ.get("SIGNPOST_STACK"):
        return Path(shutil.copytree(given, folder / "stack"))
    from archives import write_archive, write_folder
    from stack import stack_files

    bootstrap = folder / "bootstrap"
    subprocess.run(["strip", "-o", bootstrap, os.environ.get("SIGNPOST_BINARY", BUILT / "Function/bootstrap")], check=True)
    write_archive(folder / "function.zip", "", {"bootstrap": (bootstrap.read_bytes(), True)}, 0)
    write_folder(folder / "stack", stack_files("x86_64", (folder / "function.zip").read_bytes()))
    return folder / "stack"


def zipped_size(binary):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
        package.write(binary, "bootstrap")
    return len(buffer.getvalue())


def main():
    limit = int(sys.argv[1])
    files = sorted(path for path in (BUILT / "Function").rglob("*") if path.is_file())
    assert [path.name for path in files] == ["bootstrap"], f"the package contains {files}"
    assert os.access(files[0], os.X_OK), "bootstrap is not executable"
    size = zipped_size(files[0])
    print(f"zip: {size} bytes of {limit}, bootstrap: {files[0].stat().st_size}")
    return size > limit


if __name__ == "__main__":
    sys.exit(main())
