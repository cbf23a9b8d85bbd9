"""Runs the load and judges it; see `run`."""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

import mixture
import targets
import weather
from signatures import Wrong

SHOWN = 30
SAMPLES = 120  # of the memory, over the whole run


def work(target, seed, ends, rate):
    """One thing after another, each checked, while nobody moves the clock."""
    kinds = mixture.Mixture(target, seed)
    pace = random.Random(seed)
    due = time.monotonic()
    while time.monotonic() < ends and len(target.wrong) < 1000:
        due = max(due + pace.expovariate(rate), time.monotonic() - 1)
        time.sleep(max(0, due - time.monotonic()))
        with target.clock.gate:
            try:
                target.done[kinds.one()] += 1
            except Wrong as wrong:
                target.wrong.append(f"{kinds.doing}: {wrong}")
            except Exception as error:  # a check that can't be made is a failure as well
                last = traceback.extract_tb(error.__traceback__)[-1]
                target.wrong.append(f"{kinds.doing}: {type(error).__name__} at {last.name}:{last.lineno}")


def sample(target, began, ends):
    """Looks at the memory, and lets the rules change."""
    pause = max(0.4, (ends - began) / SAMPLES)
    change = began
    while time.monotonic() < ends:
        if not target.alive():
            target.wrong.append(f"the process ended after {time.monotonic() - began:.0f} s")
            return
        target.sample(began)
        if time.monotonic() >= change:
            target.cloud.version += 1
            good = target.rules.is_good(target.cloud.version)
            change += max(12, min(60, (ends - began) / 6)) if good else 8
        time.sleep(pause)


def growth(samples, column):
    """The medians of the second and the last quarter."""
    quarter = len(samples) // 4
    return tuple(statistics.median(values[column] for values in part) for part in (samples[quarter : 2 * quarter], samples[-quarter:]))


class Verdict:
    """What held and what did not."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, holds, detail=""):
        self.passed += bool(holds)
        self.failed += not holds
        if not holds:
            print(f"FAILED {name}: {detail}")


def judge(target, verdict, minutes):
    name = target.name
    verdict.check(f"{name}: every answer is right", not target.wrong, f"{len(target.wrong)} are not")
    for text, times in sorted({text: target.wrong.count(text) for text in target.wrong}.items(), key=lambda pair: -pair[1])[:SHOWN]:
        print(f"       {times} × {text}")
    verdict.check(f"{name}: its own requests are right", not target.cloud.problems, set(target.cloud.problems))
    verdict.check(f"{name}: the process lives", target.alive(), "it does not")
    total = sum(target.done.values())
    bad = sum(times for kind, times in target.done.items() if kind.startswith("bad: "))
    verdict.check(f"{name}: a tenth is bad", total > 100 and 0.06 < bad / total < 0.14, f"{bad} of {total}")
    missing = {kind.__name__ for kind, _ in target.kinds} - set(target.done)
    verdict.check(f"{name}: every good kind was met", not missing, missing)
    before, after = growth(target.samples, 1)
    bound = max(1024, before * 0.05) if minutes >= 20 else max(4096, before * 0.2)
    verdict.check(f"{name}: memory does not grow", after - before <= bound, f"{before:.0f} KiB, then {after:.0f}")
    before, after = growth(target.samples, 2)
    verdict.check(f"{name}: descriptors do not grow", after - before <= 8, f"{before:.0f}, then {after:.0f}")
    log = target.log.read_text(errors="replace")
    found = set()
    for line in log.splitlines():
        found |= target.secrets.found_in(line)
    verdict.check(f"{name}: no secret in the log", not found, found)
    verdict.check(f"{name}: the log tells of requests", log.count("\n") > total / 2, f"{log.count(chr(10))} lines")
    verdict.check(f"{name}: nothing panicked", "panicked" not in log, "it did")
    if target.weather.seen:
        judge_weather(target, verdict, minutes)


def judge_weather(target, verdict, minutes):
    name, cloud = target.name, target.cloud
    good = {version for _, version in cloud.sent}
    verdict.check(f"{name}: rules changed", len(good) >= 2, f"{len(good)} versions were in force")
    verdict.check(f"{name}: sessions were renewed", len(cloud.sessions) >= 2, f"{len(cloud.sessions)} sessions")
    verdict.check(f"{name}: the clock jumped", target.clock.jumps >= 2, f"{target.clock.jumps} times")
    failed = [count for count in target.counts if count.startswith("failed")]
    verdict.check(f"{name}: failures reached clients", failed, "none did")
    if minutes >= 45:
        missing = {(service, fault) for service in weather.SERVICES for fault in weather.FAULTS[service]} - set(target.weather.seen)
        verdict.check(f"{name}: every fault was met", not missing, sorted(missing))


def report(target, seconds):
    latencies = sorted(target.latencies)
    at = lambda share: latencies[int(len(latencies) * share)] * 1000  # noqa: E731
    memory, descriptors = growth(target.samples, 1), growth(target.samples, 2)
    return {
        "target": target.name,
        "requests": len(latencies),
        "a second": round(len(latencies) / seconds, 1),
        "answers": dict(sorted(target.counts.items())),
        "bad": sum(times for kind, times in target.done.items() if kind.startswith("bad: ")),
        "ms": {"p50": round(at(0.5), 2), "p99": round(at(0.99), 1), "longest": round(latencies[-1] * 1000)},
        "KiB": {"second quarter": memory[0], "last quarter": memory[1], "most": max(values[1] for values in target.samples)},
        "descriptors": descriptors,
        "calls": target.cloud.calls,
        "faults met": sum(target.weather.seen.values()),
        "sessions": len(target.cloud.sessions),
        "rules in force": len(target.cloud.sent),
        "log lines": target.log.read_text(errors="replace").count("\n"),
        "wrong": len(target.wrong),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--function", type=Path, required=True)
    parser.add_argument("--local", type=Path, required=True)
    parser.add_argument("--emulator", type=Path, required=True)
    parser.add_argument("--faketime", required=True)
    parser.add_argument("--folder", type=Path, help="where logs are kept")
    options = parser.parse_args()
    minutes = float(os.environ.get("LOAD_MINUTES", "1"))
    rate = float(os.environ.get("LOAD_RATE", "20"))
    only = os.environ.get("LOAD_ONLY", "")
    os.nice(10)
    with tempfile.TemporaryDirectory(prefix="signpost-load-") as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        return run(options, folder, minutes, rate, only)


def run(options, folder, minutes, rate, only):
    clock = weather.Clock(folder)
    made = {
        "function": lambda: targets.Function(folder, clock, options.function.resolve(), options.emulator.resolve(), options.faketime),
        "cloudy": lambda: targets.Cloudy(folder, clock, options.local.resolve(), options.faketime),
        "embedded": lambda: targets.Embedded(folder, clock, options.local.resolve(), options.faketime),
    }
    running = []
    verdict = Verdict()
    try:
        for name, make in made.items():
            if only in ("", name):
                running.append(make())
        for target in running:
            target.start()
        began = time.monotonic()
        ends = began + minutes * 60
        stop = threading.Event()
        threads = []
        for index, target in enumerate(running):
            threads += [(work, (target, 1000 * index + worker, ends, rate / target.workers)) for worker in range(target.workers)]
            threads.append((sample, (target, began, ends)))
        skies = [target.weather for target in running if not isinstance(target, targets.Embedded)]
        threads.append((weather.change, (skies, clock, ends, stop)))
        threads = [threading.Thread(target=doing, args=arguments, daemon=True) for doing, arguments in threads]
        for thread in threads:
            thread.start()
        for thread in threads[:-1]:
            thread.join()
        stop.set()
        threads[-1].join(60)
        seconds = time.monotonic() - began
        for target in running:
            judge(target, verdict, minutes)
            print(json.dumps(report(target, seconds), ensure_ascii=False))
    finally:
        for target in running:
            target.stop()
    print(f"{verdict.passed} passed, {verdict.failed} failed, 0 skipped")
    return 1 if verdict.failed else 0


if __name__ == "__main__":
    sys.exit(main())
