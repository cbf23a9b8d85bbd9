"""ccache does not follow redirects of uploads, as docs/CACHES.md says. If this test fails, a new version may work."""

import os

from conftest import run


def test_ccache_stores_nothing(server, tmp_path):
    (tmp_path / "m.c").write_text("int answer(void) { return 42; }\n")
    storage = server.url.replace("://", "://ci:secret-ci@") + "/ccache|layout=flat"
    settings = {"CCACHE_DIR": str(tmp_path / "cache"), "CCACHE_REMOTE_STORAGE": storage, "CCACHE_REMOTE_ONLY": "1"}
    run("ccache", "gcc", "-c", "m.c", "-o", "m.o", cwd=tmp_path, settings=settings)
    _, statistics = run("ccache", "--print-stats", cwd=tmp_path, settings=settings)
    counts = dict(line.split("\t") for line in statistics.splitlines() if "\t" in line)
    assert counts["remote_storage_error"] == "1", counts
    assert os.path.exists(tmp_path / "m.o")
