"""sccache only reads through WebDAV, because it sends PROPFIND before its first upload, as docs/CACHES.md says. If this test fails, a new
version may work."""

from conftest import HERE, run
from lib.processes import free_port

SCCACHE = HERE / ".venv/bin/sccache"


def test_sccache_treats_the_cache_as_read_only(server, tmp_path):
    (tmp_path / "m.c").write_text("int answer(void) { return 42; }\n")
    settings = {
        "SCCACHE_WEBDAV_ENDPOINT": server.url,
        "SCCACHE_WEBDAV_KEY_PREFIX": "sccache",
        "SCCACHE_WEBDAV_USERNAME": "ci",
        "SCCACHE_WEBDAV_PASSWORD": "secret-ci",
        "SCCACHE_SERVER_PORT": str(free_port()),
        "SCCACHE_IDLE_TIMEOUT": "60",
        "HOME": str(tmp_path),
    }
    run(SCCACHE, "--start-server", cwd=tmp_path, settings=settings)
    try:
        for _ in range(2):
            run(SCCACHE, "gcc", "-c", "m.c", "-o", "m.o", cwd=tmp_path, settings=settings)
        _, statistics = run(SCCACHE, "--show-stats", cwd=tmp_path, settings=settings)
    finally:
        run(SCCACHE, "--stop-server", cwd=tmp_path, check=False, settings=settings)
    counts = dict(line.rsplit(None, 1) for line in statistics.splitlines() if len(line.split()) > 1)
    counts = {name.strip(): value for name, value in counts.items()}
    assert (counts["Cache misses"], counts["Cache write errors"]) == ("2", "2"), statistics
    assert server.has_logged("PROPFIND")
