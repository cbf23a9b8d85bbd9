"""Runs the load and checks the results; see `run`."""

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
from signatures import CheckFailed

SHOWN = 30
SAMPLES = 120  # number of memory samples in a run


def run_worker(target, seed, ends, rate):
    """Runs and checks one action after another. The clock does not jump during an action."""
    actions = mixture.RequestMixture(target, seed)
    pace = random.Random(seed)
    due = time.monotonic()
    while time.monotonic() < ends and len(target.failures) < 1000:
        due = max(due + pace.expovariate(rate), time.monotonic() - 1)
        time.sleep(max(0, due - time.monotonic()))
        with target.clock.lock:
            try:
                target.done[actions.run_next()] += 1
            except CheckFailed as failure:
                target.failures.append(f"{actions.current}: {failure}")
            except Exception as error:  # an error in a check is also a failure
                last = traceback.extract_tb(error.__traceback__)[-1]
                target.failures.append(f"{actions.current}: {type(error).__name__} at {last.name}:{last.lineno}")


def sample_memory(target, began, ends):
    """Samples the memory at intervals, and changes the rules."""
    pause = max(0.4, (ends - began) / SAMPLES)
    change = began
    while time.monotonic() < ends:
        if not target.alive():
            target.failures.append(f"the process ended after {time.monotonic() - began:.0f} s")
            return
        target.sample(began)
        if time.monotonic() >= change:
            target.aws.version += 1
            good = target.rules.is_good(target.aws.version)
            change += max(12, min(60, (ends - began) / 6)) if good else 8
        time.sleep(pause)


def growth(samples, column):
    """Returns the medians of the second and the last quarter."""
    quarter = len(samples) // 4
    return tuple(statistics.median(values[column] for values in part) for part in (samples[quarter : 2 * quarter], samples[-quarter:]))


class Results:
    """Counts passed and failed checks."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, condition, detail=""):
        self.passed += bool(condition)
        self.failed += not condition
        if not condition:
            print(f"FAILED {name}: {detail}")


def check_target(target, results, minutes):
    name = target.name
    results.check(f"{name}: every response is correct", not target.failures, f"{len(target.failures)} are wrong")
    for text, times in sorted({text: target.failures.count(text) for text in target.failures}.items(), key=lambda pair: -pair[1])[:SHOWN]:
        print(f"       {times} × {text}")
    results.check(f"{name}: the requests of the service are correct", not target.aws.problems, set(target.aws.problems))
    results.check(f"{name}: the process is running", target.alive(), "it has exited")
    total = sum(target.done.values())
    bad = sum(times for kind, times in target.done.items() if kind.startswith("bad: "))
    results.check(f"{name}: a tenth of the requests is bad", total > 100 and 0.06 < bad / total < 0.14, f"{bad} of {total}")
    missing = {kind.__name__ for kind, _ in target.kinds} - set(target.done)
    results.check(f"{name}: every kind of good request was sent", not missing, missing)
    before, after = growth(target.samples, 1)
    bound = max(1024, before * 0.05) if minutes >= 20 else max(4096, before * 0.2)
    results.check(f"{name}: memory does not grow", after - before <= bound, f"{before:.0f} KiB, then {after:.0f}")
    before, after = growth(target.samples, 2)
    results.check(f"{name}: descriptors do not grow", after - before <= 8, f"{before:.0f}, then {after:.0f}")
    log = target.log.read_text(errors="replace")
    found = set()
    for line in log.splitlines():
        found |= target.secrets.found_in(line)
    results.check(f"{name}: no secret in the log", not found, found)
    results.check(f"{name}: the log contains the requests", log.count("\n") > total / 2, f"{log.count(chr(10))} lines")
    results.check(f"{name}: no thread panicked", "panicked" not in log, "the log contains a panic")
    if target.faults.seen:
        check_fault_run(target, results, minutes)


def check_fault_run(target, results, minutes):
    name, aws = target.name, target.aws
    good = {version for _, version in aws.sent}
    results.check(f"{name}: rules changed", len(good) >= 2, f"{len(good)} versions were active")
    results.check(f"{name}: sessions were renewed", len(aws.sessions) >= 2, f"{len(aws.sessions)} sessions")
    results.check(f"{name}: the clock jumped", target.clock.jumps >= 2, f"{target.clock.jumps} times")
    failed = [count for count in target.counts if count.startswith("failed")]
    results.check(f"{name}: failures reached clients", failed, "no client received an error")
    if minutes >= 45:
        missing = {(service, fault) for service in weather.SERVICES for fault in weather.FAULTS[service]} - set(target.faults.seen)
        results.check(f"{name}: every fault was injected", not missing, sorted(missing))


def report(target, seconds):
    latencies = sorted(target.latencies)
    at = lambda share: latencies[int(len(latencies) * share)] * 1000  # noqa: E731
    memory, descriptors = growth(target.samples, 1), growth(target.samples, 2)
    return {
        "target": target.name,
        "requests": len(latencies),
        "per second": round(len(latencies) / seconds, 1),
        "responses": dict(sorted(target.counts.items())),
        "bad": sum(times for kind, times in target.done.items() if kind.startswith("bad: ")),
        "ms": {"p50": round(at(0.5), 2), "p99": round(at(0.99), 1), "maximum": round(latencies[-1] * 1000)},
        "KiB": {"second quarter": memory[0], "last quarter": memory[1], "maximum": max(values[1] for values in target.samples)},
        "descriptors": descriptors,
        "calls": target.aws.calls,
        "faults injected": sum(target.faults.seen.values()),
        "sessions": len(target.aws.sessions),
        "rule versions": len(target.aws.sent),
        "log lines": target.log.read_text(errors="replace").count("\n"),
        "failures": len(target.failures),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--function", type=Path, required=True)
    parser.add_argument("--local", type=Path, required=True)
    parser.add_argument("--emulator", type=Path, required=True)
    parser.add_argument("--faketime", required=True)
    parser.add_argument("--folder", type=Path, help="folder for the logs, which remain after the run")
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
    constructors = {
        "function": lambda: targets.Function(folder, clock, options.function.resolve(), options.emulator.resolve(), options.faketime),
        "external": lambda: targets.External(folder, clock, options.local.resolve(), options.faketime),
        "embedded": lambda: targets.Embedded(folder, clock, options.local.resolve(), options.faketime),
    }
    running = []
    results = Results()
    try:
        for name, make in constructors.items():
            if only in ("", name):
                running.append(make())
        for target in running:
            target.start()
        began = time.monotonic()
        ends = began + minutes * 60
        stop = threading.Event()
        threads = []
        for index, target in enumerate(running):
            threads += [(run_worker, (target, 1000 * index + worker, ends, rate / target.workers)) for worker in range(target.workers)]
            threads.append((sample_memory, (target, began, ends)))
        schedules = [target.faults for target in running if not isinstance(target, targets.Embedded)]
        threads.append((weather.run_faults, (schedules, clock, ends, stop)))
        threads = [threading.Thread(target=function, args=arguments, daemon=True) for function, arguments in threads]
        for thread in threads:
            thread.start()
        for thread in threads[:-1]:
            thread.join()
        stop.set()
        threads[-1].join(60)
        seconds = time.monotonic() - began
        for target in running:
            check_target(target, results, minutes)
            print(json.dumps(report(target, seconds), ensure_ascii=False))
    finally:
        for target in running:
            target.stop()
    print(f"{results.passed} passed, {results.failed} failed, 0 skipped")
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
