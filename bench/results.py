"""Stores results of benchmarks in bench/results.json: one entry for each version of Signpost, with ratios that later versions can be
compared with."""

import json
import os
import platform
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "bench/results.json"


def store(benchmark, values):
    """Replaces the results of one benchmark in the entry of the current version."""
    releases = load()
    version = current_version()
    entry = next((release for release in releases if release["version"] == version), None)
    if entry is None:
        entry = {"version": version}
        releases.append(entry)
    entry[benchmark] = {"machine": machine(), "load": round(os.getloadavg()[0], 1), **values}
    FILE.write_text(json.dumps({"releases": releases}, indent=2) + "\n")


def load():
    """Returns the entries, the oldest version first."""
    return json.loads(FILE.read_text())["releases"] if FILE.exists() else []


def current_version():
    return tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]


def machine():
    """Describes the processors and the kernel."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    model = next(names, platform.machine())
    return f"{len(os.sched_getaffinity(0))} × {model}, {platform.system()} {'.'.join(platform.release().split('.')[:2])}"
