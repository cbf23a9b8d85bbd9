"""Programs that read, list and write objects of a server that requires a token. The blocks of docs/CLIENTS.md are their settings."""

import base64
import hashlib
import io
import json
import os
import shlex
import tarfile
import zipfile
from urllib.parse import urlsplit

import pytest

from conftest import BLOCK, DOCUMENT, TOKEN, TOKEN_HEADER, files_below, need, start_server, with_local_host
from storage import Storage

CREDENTIALS = {"Authorization": f"Bearer {TOKEN}"}
BLOCKS = {}


def block(name):
    """The block of the document with this name."""
    (text,) = (found[3] for found in BLOCK.finditer(DOCUMENT) if found[1] == name)
    BLOCKS[name] = text
    return text


PIP = block("pip")
CARGO_INDEX, CARGO_CONFIG, CARGO = block("cargo: config.json"), block("cargo: .cargo/config.toml"), block("cargo")
NPMRC = block("npm: .npmrc")
APT_SOURCES, APT_AUTH = block("apt: sources.list"), block("apt: auth.conf")
MAVEN_SETTINGS, MAVEN_CHECKSUMS = block("maven: settings.xml"), block("maven: checksums")
DUCKDB, GDAL, FFMPEG = block("duckdb"), block("gdal"), block("ffmpeg")
WGET_TREE, RCLONE, NAMES = block("wget -r"), block("rclone"), block("names")

TREE = {"tree/one.txt": b"1", "tree/sub/two é+#?.txt": b"22", "tree/sub/deep/three.txt": b"333"}
BELOW = {key.removeprefix("tree/"): body for key, body in TREE.items()}
# A Debian version whose characters have a meaning in URLs.
DEB = "indexed_1.0+b~1_all.deb"


@pytest.fixture(scope="module")
def storage(server):
    found = Storage(server.url, CREDENTIALS)
    found.store(TREE)
    return found


@pytest.fixture
def shell(run, server):
    """Runs a block of the document as it is, except for the host."""

    def start(text, **options):
        return run("bash", "-eu", "-o", "pipefail", "-c", with_local_host(text, server.url), **options)

    return start


def with_credential(url):
    return url.replace("://", f"://ci:{TOKEN}@")


def succeeds(result):
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def fails(result):
    assert result.returncode != 0, result.stdout + result.stderr
    return result.stdout + result.stderr


# ---- libraries for Node, and HTTPie ----


@pytest.mark.parametrize("header", [{"Authorization": f"Bearer {TOKEN}"}, {TOKEN_HEADER: TOKEN}], ids=["authorization", "token-header"])
def test_node_libraries_store_read_list_and_delete(storage, run, header):
    script = os.path.join(os.path.dirname(__file__), "libraries.mjs")
    results = json.loads(succeeds(run("node", script, storage.url, json.dumps(header))))
    expected = {
        "storesBytes": True, "storesJson": {"stored": "as JSON"}, "readsBytes": True, "readsJson": {"stored": "as JSON"},
        "lists": ["bytes", "json"], "deletes": True, "readsWithWrongToken": "rejected", "storesStream": "rejected",
    }  # fmt: skip
    assert results == {name: expected for name in ("axios", "got", "ky", "superagent")}


HTTPIE = ["http", "--ignore-stdin", "--check-status", "--follow", "--body"]


def test_httpie_stores_reads_lists_and_deletes(storage, run, tmp_path):
    http = [*HTTPIE, "-A", "bearer", "-a", TOKEN]
    (tmp_path / "file.json").write_text('{"a": 1}')
    succeeds(run(*http, "PUT", f"{storage.url}/httpie/file.json", f"@{tmp_path}/file.json"))
    succeeds(run(*http, "PUT", f"{storage.url}/httpie/fields.json", "field=value"))
    assert storage.read("httpie/file.json") == b'{"a": 1}'
    assert json.loads(storage.read("httpie/fields.json")) == {"field": "value"}
    listed = json.loads(succeeds(run(*http, f"{storage.url}/httpie/", "Accept:application/json")))
    assert [one["name"] for one in listed["objects"]] == ["fields.json", "file.json"]
    succeeds(run(*http, "DELETE", f"{storage.url}/httpie/file.json"))
    assert storage.names("httpie/") == {"fields.json"}


@pytest.mark.parametrize("options,items,is_stored", [
    (["-a", f"ci:{TOKEN}"], [], True),
    ([], [f"{TOKEN_HEADER}:{TOKEN}"], True),
    (["-A", "bearer", "-a", "wrong"], [], False),
], ids=["basic", "token-header", "wrong"])  # fmt: skip
def test_httpie_stores_or_fails(storage, run, options, items, is_stored):
    key = f"httpie/{is_stored}-{len(items)}"
    result = run(*HTTPIE, *options, "PUT", f"{storage.url}/{key}", *items, "field=value")
    assert (result.returncode == 0, storage.read(key) is not None) == (is_stored, is_stored), result.stderr


# ---- packages ----


def test_pip_and_uv_find_packages_of_a_private_folder(storage, shell, run, tmp_path):
    info = "indexed-1.0.dist-info"
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("indexed.py", "VERSION = '1.0'\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: indexed\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    name = "indexed-1.0-py3-none-any.whl"
    storage.store({f"wheels/{name}": wheel.getvalue()})
    succeeds(shell(PIP, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_CACHE_DIR="1"))
    assert (tmp_path / name).read_bytes() == wheel.getvalue()
    fails(run("pip", "download", "--no-index", "--no-cache-dir", "--find-links", f"{storage.url}/wheels/", "--dest", "other", "indexed", PIP_NO_INPUT="1"))
    install = ["uv", "pip", "install", "--no-index", "--no-cache", "--target", "found", "--find-links", f"{with_credential(storage.url)}/wheels/", "indexed"]
    succeeds(run(*install, "--python", "python3"))
    assert (tmp_path / "found/indexed.py").read_text() == "VERSION = '1.0'\n"


def archive_of(files, folder):
    """A compressed archive, as crates and npm packages are."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()


def test_cargo_reads_a_private_sparse_index(storage, shell, tmp_path):
    manifest = '[package]\nname = "indexed"\nversion = "1.0.0"\nedition = "2021"\n'
    crate = archive_of({"Cargo.toml": manifest, "src/lib.rs": "pub const VERSION: u8 = 1;\n"}, "indexed-1.0.0")
    entry = {"name": "indexed", "vers": "1.0.0", "deps": [], "cksum": hashlib.sha256(crate).hexdigest(), "features": {}, "yanked": False}
    storage.store({
        "cargo/config.json": with_local_host(CARGO_INDEX, storage.url).encode(),
        "cargo/in/de/indexed": json.dumps(entry).encode() + b"\n",
        "cargo/crates/indexed-1.0.0.crate": crate,
    })  # fmt: skip
    (tmp_path / ".cargo").mkdir()
    (tmp_path / ".cargo/config.toml").write_text(with_local_host(CARGO_CONFIG, storage.url))
    dependency = '[dependencies]\nindexed = { version = "1", registry = "files" }\n'
    (tmp_path / "Cargo.toml").write_text(f'[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n{dependency}')
    (tmp_path / "src").mkdir()
    (tmp_path / "src/lib.rs").write_text("")
    assert "token rejected" in fails(shell(CARGO, TOKEN="wrong"))
    succeeds(shell(CARGO))
    (downloaded,) = (tmp_path / "home/cargo/registry/cache").rglob("*.crate")
    assert downloaded.read_bytes() == crate


def test_npm_installs_from_a_private_registry(storage, run, tmp_path):
    package = archive_of({"package.json": '{"name":"indexed","version":"1.0.0","main":"main.js"}', "main.js": "module.exports = '1.0';\n"}, "package")
    store_npm_package(storage, "npm/indexed", package)
    (tmp_path / "package.json").write_text('{"name":"app","version":"1.0.0"}')
    (tmp_path / ".npmrc").write_text(with_local_host(NPMRC, storage.url))
    install = ["npm", "install", "--no-audit", "--no-fund", "--no-update-notifier"]
    assert "E401" in fails(run(*install, "indexed", TOKEN="wrong"))
    succeeds(run(*install, "indexed"))
    assert (tmp_path / "node_modules/indexed/main.js").read_text() == "module.exports = '1.0';\n"
    (tmp_path / "tarball").mkdir()
    succeeds(run(*install, "--prefix", "tarball", f"{with_credential(storage.url)}/npm/indexed/-/indexed-1.0.0.tgz"))
    assert (tmp_path / "tarball/node_modules/indexed/main.js").exists()


def store_npm_package(storage, key, package):
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(package).digest()).decode()
    version = {"name": "indexed", "version": "1.0.0", "dist": {"tarball": f"{storage.url}/{key}/-/indexed-1.0.0.tgz", "integrity": integrity}}
    metadata = {"name": "indexed", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    storage.store({key: json.dumps(metadata).encode(), f"{key}/-/indexed-1.0.0.tgz": package})


def test_npm_publish_reports_success_but_stores_only_its_document(storage, run, tmp_path):
    """The document says this, because no response can prevent it."""
    (tmp_path / "package.json").write_text('{"name":"published","version":"1.0.0"}')
    (tmp_path / ".npmrc").write_text(with_local_host(NPMRC, storage.url))
    succeeds(run("npm", "publish", "--no-update-notifier"))
    assert storage.names("npm/published/") == set()
    assert "_attachments" in json.loads(storage.read("npm/published"))


APT = """\
Dir "{0}";
Dir::State::status "{0}/status";
APT::Sandbox::User "root";
APT::Architecture "amd64";
"""


def test_apt_reads_a_private_flat_repository(storage, run, tmp_path):
    need("dpkg-deb")
    control = "Package: indexed\nVersion: 1.0+b~1\nArchitecture: all\nMaintainer: T <t@example.com>\nDescription: x\n"
    (tmp_path / "deb/DEBIAN").mkdir(parents=True)
    (tmp_path / "deb/DEBIAN/control").write_text(control)
    succeeds(run("dpkg-deb", "-b", "deb", "built.deb"))
    package = (tmp_path / "built.deb").read_bytes()
    entry = f"{control}Filename: {DEB}\nSize: {len(package)}\nSHA256: {hashlib.sha256(package).hexdigest()}\n\n"
    storage.store({"apt/Packages": entry.encode(), f"apt/{DEB}": package})
    root = tmp_path / "root"
    for folder in ("etc/apt/auth.conf.d", "etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial"):
        (root / folder).mkdir(parents=True)
    (root / "status").touch()
    (root / "etc/apt/sources.list").write_text(with_local_host(APT_SOURCES, storage.url))
    (tmp_path / "apt.conf").write_text(APT.format(root))
    environment = {"APT_CONFIG": str(tmp_path / "apt.conf")}
    assert "401" in fails(run("apt-get", "update", **environment, cwd=root))
    # apt sends a credential over HTTP only to a machine with a scheme.
    auth = APT_AUTH.replace("files.example.com", storage.url).replace("TOKEN", TOKEN)
    (root / "etc/apt/auth.conf.d/files.conf").write_text(auth)
    succeeds(run("apt-get", "update", **environment, cwd=root))
    succeeds(run("apt-get", "download", "indexed", **environment, cwd=root))
    assert (root / DEB).read_bytes() == package


DEPLOY = "org.apache.maven.plugins:maven-deploy-plugin:3.0.0:deploy-file"
JAR = "org.apache.maven.plugins:maven-jar-plugin:3.3.0:jar"
POM = """\
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>com.example</groupId><artifactId>app</artifactId><version>1</version>
  <repositories>
    <repository><id>files</id><url>{url}/maven</url><releases><checksumPolicy>fail</checksumPolicy></releases></repository>
  </repositories>
  <dependencies>
    <dependency><groupId>com.example</groupId><artifactId>indexed</artifactId><version>1.0</version></dependency>
  </dependencies>
</project>
"""
# Debian's packages are the repository of the plugins.
MIRROR = "<mirrors><mirror><id>debian</id><mirrorOf>central</mirrorOf><url>file:///usr/share/maven-repo</url></mirror></mirrors>"
TOKEN_HEADER_OF_MAVEN = (
    f"<httpHeaders><property><name>{TOKEN_HEADER}</name><value>${{env.TOKEN}}</value></property></httpHeaders>"
)


def test_maven_deploys_and_resolves_with_checksums(storage, shell, run, tmp_path):
    need("mvn")
    (tmp_path / "settings.xml").write_text(MAVEN_SETTINGS.replace("<settings>", f"<settings>{MIRROR}"))
    with zipfile.ZipFile(tmp_path / "indexed-1.0.jar", "w") as jar:
        jar.writestr("indexed.txt", "indexed\n")
    maven = ["mvn", "-B", "-ntp", "-s", "settings.xml", f"-Dmaven.repo.local={tmp_path}/repository"]
    artifact = ["-DgroupId=com.example", "-DartifactId=indexed", "-Dversion=1.0", "-Dfile=indexed-1.0.jar"]
    deployed = succeeds(run(*maven, DEPLOY, f"-Durl={storage.url}/maven", "-DrepositoryId=files", *artifact))
    assert "Failed to upload checksum to com/example/indexed/1.0/indexed-1.0.jar.sha1" in deployed
    folder = "maven/com/example/indexed/1.0/"
    assert storage.names(folder) == {"indexed-1.0.jar", "indexed-1.0.pom"}
    assert storage.read(f"{folder}indexed-1.0.jar") == (tmp_path / "indexed-1.0.jar").read_bytes()

    (tmp_path / "pom.xml").write_text(POM.format(url=storage.url))
    resolve = [*maven, JAR]
    assert "no checksums available" in fails(run(*resolve))
    succeeds(shell(MAVEN_CHECKSUMS))
    pom = hashlib.sha1(storage.read(f"{folder}indexed-1.0.pom")).hexdigest().encode()
    storage.store({f"{folder}indexed-1.0.pom.sha1": pom})
    use_token_header(tmp_path / "settings.xml")
    succeeds(run(*resolve))
    found = tmp_path / "repository/com/example/indexed/1.0/indexed-1.0.jar"
    assert found.read_bytes() == (tmp_path / "indexed-1.0.jar").read_bytes()


def use_token_header(settings):
    text = settings.read_text()
    start, end = text.index("<username>"), text.index("</server>")
    settings.write_text(f"{text[:start]}<configuration>{TOKEN_HEADER_OF_MAVEN}</configuration>{text[end:]}")


# ---- data and media ----

DUCKDB_SCRIPT = """
import pathlib, sys
import duckdb, duckdb_extension_httpfs
(extension,) = pathlib.Path(duckdb_extension_httpfs.__file__).parent.rglob("*.duckdb_extension")
connection = duckdb.connect()
connection.load_extension(str(extension))
for statement in sys.argv[1].split(";"):
    if statement.strip():
        result = connection.execute(statement).fetchall()
print(result)
"""
SECRET_WITH_TOKEN_HEADER = f"CREATE SECRET files (TYPE http, EXTRA_HTTP_HEADERS MAP {{'{TOKEN_HEADER}': '{TOKEN}'}});"


def test_duckdb_reads_private_files_and_does_not_write(storage, run, tmp_path):
    create = "COPY (SELECT range AS a, md5(range::text) AS b FROM range(50000)) TO 'numbers.parquet'"
    succeeds(run("python", "-c", DUCKDB_SCRIPT, create))
    numbers = (tmp_path / "numbers.parquet").read_bytes()
    storage.store({"data/numbers.parquet": numbers})
    sql = with_local_host(DUCKDB, storage.url)
    secret, query = sql.split(";", 1)
    for statement in (sql.replace("'TOKEN'", f"'{TOKEN}'"), SECRET_WITH_TOKEN_HEADER + query):
        assert succeeds(run("python", "-c", DUCKDB_SCRIPT, statement)).strip() == "[(1249975000, 50000)]"
    fails(run("python", "-c", DUCKDB_SCRIPT, query))
    url = f"{storage.url}/data/numbers.parquet"
    assert "not implemented" in fails(run("python", "-c", DUCKDB_SCRIPT, f"{SECRET_WITH_TOKEN_HEADER} COPY (SELECT 1) TO '{url}'"))
    assert storage.read("data/numbers.parquet") == numbers


RASTER = """
import sys, warnings
import numpy, rasterio
from rasterio.windows import Window
warnings.simplefilter("ignore")
pixels = numpy.arange(1024 * 1024, dtype="uint32").reshape(1, 1024, 1024)
if sys.argv[1] == "write":
    options = {"width": 1024, "height": 1024, "count": 1, "dtype": "uint32", "tiled": True, "blockxsize": 256, "blockysize": 256}
    with rasterio.open(sys.argv[2], "w", driver="GTiff", **options) as picture:
        picture.write(pixels)
else:
    with rasterio.open(sys.argv[2]) as picture:
        assert (picture.read(1, window=Window(700, 700, 50, 50)) == pixels[0, 700:750, 700:750]).all()
"""
DIRECTLY = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"}
BY_SIGNPOST = {"CPL_VSIL_CURL_USE_S3_REDIRECT": "NO"}


def test_gdal_reads_a_part_of_a_private_picture(storage, shell, run, tmp_path):
    succeeds(run("python", "-c", RASTER, "write", "picture.tif"))
    storage.store({"data/picture.tif": (tmp_path / "picture.tif").read_bytes()})
    assert json.loads(succeeds(shell(GDAL)))["width"] == 1024
    read = ["python", "-c", RASTER, "read"]
    picture = f"/vsicurl/{storage.url}/data/picture.tif"
    succeeds(run(*read, picture, **DIRECTLY, GDAL_HTTP_HEADERS=f"{TOKEN_HEADER}: {TOKEN}"))
    succeeds(run(*read, picture, GDAL_HTTP_HEADERS=f"{TOKEN_HEADER}: {TOKEN}"))
    succeeds(run(*read, picture, **DIRECTLY, **BY_SIGNPOST, GDAL_HTTP_USERPWD=f"ci:{TOKEN}"))
    succeeds(run(*read, f"/vsicurl/{with_credential(storage.url)}/data/picture.tif", **DIRECTLY))
    fails(run(*read, picture, **DIRECTLY, GDAL_HTTP_HEADERS=f"Authorization: Bearer {TOKEN}"))
    fails(run(*read, picture, **DIRECTLY))


def test_ffmpeg_seeks_in_a_private_video_and_reads_a_playlist(storage, shell, run, tmp_path):
    need("ffmpeg")
    source = ["-f", "lavfi", "-i", "testsrc=duration=4:size=320x240:rate=10"]
    succeeds(run("ffmpeg", "-v", "error", *source, "-c:v", "mpeg4", "video.mp4"))
    video = ["ffmpeg", "-v", "error", "-i", "video.mp4"]
    playlist = [*video, "-c:v", "mpeg2video", "-f", "hls", "-hls_time", "1"]
    succeeds(run(*playlist, "-hls_base_url", f"{storage.url}/data/", "absolute.m3u8"))
    succeeds(run(*playlist, "relative.m3u8"))
    storage.store({f"data/{path.name}": path.read_bytes() for path in tmp_path.iterdir() if path.suffix in (".mp4", ".m3u8", ".ts")})
    succeeds(shell(FFMPEG))
    assert frames(run, "part.mkv") == 10
    header = ["ffmpeg", "-v", "error", "-headers", f"{TOKEN_HEADER}: {TOKEN}"]
    succeeds(run(*header, "-i", f"{storage.url}/data/absolute.m3u8", "-c", "copy", "copy.mkv"))
    assert frames(run, "copy.mkv") == 40
    fails(run(*header, "-i", f"{storage.url}/data/relative.m3u8", "-c", "copy", "relative.mkv"))
    leaking = ["ffmpeg", "-v", "error", "-headers", f"Authorization: Bearer {TOKEN}", "-i", f"{storage.url}/data/video.mp4", "leaked.mkv"]
    assert "400" in fails(run(*leaking))
    run(*video, "-f", "matroska", "-method", "PUT", "-headers", f"{TOKEN_HEADER}: {TOKEN}", f"{storage.url}/data/uploaded.mkv")
    assert "uploaded.mkv" not in storage.names("data/")


def frames(run, name):
    probe = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"]
    return int(succeeds(run(*probe, name)).strip().strip(","))


# ---- folders and transfers ----


def test_wget_mirrors_a_private_tree(shell, storage, run, tmp_path):
    succeeds(shell(f"{WGET_TREE.strip()} || [ $? = 8 ]"))  # 8: there is no robots.txt
    found = {name: body for name, body in files_below(tmp_path / "tree").items() if not name.endswith("index.html")}
    assert found == BELOW
    other = run("wget", "-nv", "-r", "-np", "-nH", "-P", "other", f"--header={TOKEN_HEADER}: {TOKEN}", f"{storage.url}/tree/sub/")
    assert other.returncode in (0, 8), other.stderr
    assert (tmp_path / "other/tree/sub/deep/three.txt").read_bytes() == b"333"
    fails(run("wget", "-nv", "-r", "-np", "-nH", "-P", "none", f"{storage.url}/tree/"))


def test_wget_stores_with_the_token_header(storage, run, tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    put = ["wget", "-nv", "-O", "/dev/null", "--method=PUT", "--body-file=file", f"--header={TOKEN_HEADER}: {TOKEN}"]
    succeeds(run(*put, f"{storage.url}/wget/file"))
    assert storage.read("wget/file") == b"content"


def test_rclone_copies_a_private_tree_and_never_deletes_without_a_list(shell, storage, run, tmp_path):
    need("rclone")
    succeeds(shell(RCLONE))
    assert files_below(tmp_path / "tree") == BELOW
    listed = succeeds(run("rclone", "lsf", "-R", "--files-only", "--http-url", f"{with_credential(storage.url)}/tree/", ":http:"))
    assert set(listed.splitlines()) == set(BELOW)
    fails(run("rclone", "sync", "--retries", "1", "--http-url", f"{storage.url}/tree/", ":http:", "tree"))
    assert files_below(tmp_path / "tree") == BELOW


def test_the_names_of_a_tree_are_complete(shell, storage):
    assert set(succeeds(shell(NAMES)).splitlines()) == set(BELOW)


@pytest.mark.parametrize("options,status", [
    ([f"--header={TOKEN_HEADER}: {TOKEN}"], 0),
    (["--http-user=ci", f"--http-passwd={TOKEN}", "--http-auth-challenge=true"], 0),
    ([f"--header=Authorization: Bearer {TOKEN}"], 22),
    ([], 24),
], ids=["token-header", "login", "authorization-header", "nothing"])  # fmt: skip
def test_aria2_downloads_private_files_or_nothing(storage, run, tmp_path, options, status):
    need("aria2c")
    result = run("aria2c", "-q", "-d", "found", *options, f"{storage.url}/tree/one.txt")
    assert result.returncode == status, result.stdout
    assert files_below(tmp_path / "found") == ({"one.txt": b"1"} if status == 0 else {})


# ---- fronts and challenges ----

PROGRAMS_THAT_WAIT = {
    "wget": "wget -q -O - --user=ci --password={token} {url}",
    "curl": "curl -fsSL --anyauth -u ci:{token} {url}",
    "lftp": "lftp -c 'set net:max-retries 1; set cmd:fail-exit yes; open -u ci,{token} {origin}; cat {path}'",
}
RENAMED = "x-amzn-remapped-www-authenticate"


@pytest.mark.parametrize("front,name", [("rest", RENAMED), ("http-api", RENAMED), ("function-url", RENAMED), ("alb", "www-authenticate")])
def test_a_front_that_renames_the_challenge_stops_programs_that_wait_for_it(tmp_path_factory, run, front, name):
    running = start_server(tmp_path_factory.mktemp("front"), "--front", front)
    try:
        Storage(running.url, CREDENTIALS).store({"file": b"content"})
        headers = run("curl", "-sSI", f"{running.url}/file").stdout.lower()
        assert name in [line.partition(":")[0] for line in headers.splitlines()]
        for program, command in PROGRAMS_THAT_WAIT.items():
            origin = f"http://{urlsplit(running.url).netloc}"
            result = run(*shlex.split(command.format(token=TOKEN, url=f"{running.url}/file", origin=origin, path="/file")))
            assert (result.returncode == 0, result.stdout) == ((False, "") if name == RENAMED else (True, "content")), program
    finally:
        running.stop()
