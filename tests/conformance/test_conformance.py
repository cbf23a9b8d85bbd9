"""Each server must give the recorded answers, except for the differences that `differences.json` lists."""

import collections
import json
from pathlib import Path

import pytest
from replay import scenarios

KNOWN = Path(__file__).parent / "differences.json"
TABLE = Path(__file__).resolve().parents[2] / "docs/CONFORMANCE.md"
SERVERS = {"embedded": "embedded S3", "ceph": "radosgw"}
START, END = "<!-- table -->", "<!-- end of table -->"
MIN_ANSWERS = 250


@pytest.fixture(scope="session")
def results(request):
    """The differences of each server from each answer, by server, and by group, scenario and answer."""
    found = {}
    for server in SERVERS:
        replay = request.getfixturevalue(server)
        found[server] = {
            f"{group}/{scenario['name']}/{name}": differences
            for group, scenario in scenarios()
            for name, differences in replay.run(scenario)
        }
    if request.config.getoption("--update"):
        known = {server: sorted(name for name, lines in answers.items() if lines) for server, answers in found.items()}
        KNOWN.write_text(json.dumps(known, indent=1) + "\n")
        text = TABLE.read_text()
        TABLE.write_text(text.partition(START)[0] + START + "\n" + table(found) + END + text.partition(END)[2])
    return found


def table(found):
    """For each group and server, how many responses have the recorded status and code, and how many agree in all."""
    counts = collections.Counter()
    for server, answers in found.items():
        for name, differences in answers.items():
            for group in (name.partition("/")[0], "**all**"):
                counts[server, group, "total"] += 1
                counts[server, group, "status"] += not any(line.startswith(("status", "code")) for line in differences)
                counts[server, group, "all"] += not differences
    groups = [*sorted({name.partition("/")[0] for name in found["embedded"]}), "**all**"]
    columns = [(server, kind) for server in SERVERS for kind in ("status", "all")]
    titles = [f"{SERVERS[server]}: {'status and code' if kind == 'status' else kind}" for server, kind in columns]
    lines = ["| group | answers | " + " | ".join(titles) + " |", "|---" * (len(columns) + 2) + "|"]
    for group in groups:
        cells = [str(counts[server, group, kind]) for server, kind in columns]
        lines.append(f"| {group} | {counts['embedded', group, 'total']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def test_there_are_enough_recorded_answers(results):
    assert len(results["embedded"]) >= MIN_ANSWERS


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_differs_only_as_listed(results, server):
    known = set(json.loads(KNOWN.read_text())[server])
    found = {name: lines for name, lines in results[server].items() if lines}
    new = {name: lines for name, lines in found.items() if name not in known}
    assert not new, "\n".join(f"{name}: {'; '.join(lines)}" for name, lines in new.items())
    assert not known - set(found), "these answers agree now; run with --update"


def test_the_table_in_the_docs_is_current(results):
    assert TABLE.read_text().partition(START)[2].partition(END)[0].strip() == table(results).strip()
