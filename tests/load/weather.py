"""What goes wrong and when: the clock of a process, and the services that it asks."""

import itertools
import random
import threading
import time

SERVICES = ("s3", "sts", "rules", "table")
FAULTS = {
    "s3": ("unavailable", "error page", "slow", "silent", "reset", "cut", "truncated", "html", "empty", "garbage", "huge", "drip", "denied", "other"),
    "sts": ("unavailable", "error page", "slow", "silent", "reset", "cut", "truncated", "html", "empty", "garbage", "huge", "drip", "denied", "other", "ended"),
    "rules": ("unavailable", "error page", "slow", "silent", "reset", "cut", "html", "empty", "garbage", "huge", "drip", "denied"),
    "table": ("unavailable", "error page", "slow", "silent", "reset", "cut", "truncated", "html", "empty", "garbage", "huge", "drip", "denied"),
}  # fmt: skip
SKEW = 600
# The whole run's outages, as shares of it: the rules' is longer than the ten minutes for which they count unconfirmed.
OUTAGES = (("sts", 0.22, 0.07), ("rules", 0.40, 0.22), ("s3", 0.80, 0.04))


class Clock:
    """The clock of the processes under test, which libfaketime reads from a file; it jumps only while nobody asks."""

    def __init__(self, folder):
        self.path = folder / "clock"
        self.offset = 0
        self.jumps = 0
        self._offsets = itertools.cycle((SKEW, -SKEW, 0))
        self.gate = Gate()
        self._write()

    def now(self):
        return time.time() + self.offset

    def jump(self):
        with self.gate.alone():
            self.offset = next(self._offsets)
            self._write()
            self.jumps += 1
            time.sleep(3)  # libfaketime looks about once a second

    def _write(self):
        fresh = self.path.with_suffix(".new")
        fresh.write_text(f"{self.offset:+d}\n")
        fresh.replace(self.path)

    def environment(self, library):
        return {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(self.path),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }


class Gate:
    """Many may be inside together, or one alone."""

    def __init__(self):
        self._inside = 0
        self._alone = False
        self._changed = threading.Condition()

    def __enter__(self):
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
            self._inside += 1

    def __exit__(self, *_):
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def alone(self):
        return Alone(self)


class Alone:
    def __init__(self, gate):
        self.gate = gate

    def __enter__(self):
        gate = self.gate
        with gate._changed:
            gate._changed.wait_for(lambda: not gate._alone)
            gate._alone = True
            gate._changed.wait_for(lambda: gate._inside == 0)

    def __exit__(self, *_):
        with self.gate._changed:
            self.gate._alone = False
            self.gate._changed.notify_all()


class Weather:
    """Which service has which fault, now and in the past."""

    def __init__(self):
        self.now = {}
        self.past = []  # (service, from, to)
        self.seen = {}  # (service, fault): how often it was met
        self._since = {}
        self._lock = threading.Lock()

    def fault(self, service):
        with self._lock:
            fault = self.now.get(service)
            if fault:
                self.seen[service, fault] = self.seen.get((service, fault), 0) + 1
            return fault

    def become(self, faults):
        now = time.monotonic()
        with self._lock:
            for service in SERVICES:
                if service in self.now and service not in faults:
                    self.past.append((service, self._since.pop(service), now))
                if service in faults:
                    self._since.setdefault(service, now)
            self.now = dict(faults)

    def was_bad(self, services, start, end):
        """Whether one of them had a fault at some time between the two, with half a second to spare."""
        with self._lock:
            for service in services:
                if self._since.get(service, end + 1) < end:
                    return True
            recent = reversed(self.past)
            return any(service in services and since < end and until > start - 0.5 for service, since, until in recent)


def change(skies, clock, ends, stop):
    """Bad and good weather by turns until the end, the long outages, and a clock that jumps."""
    generator = random.Random(4)
    began = time.monotonic()
    length = ends - began
    calm, jump_every = (3, 8) if length < 300 else (5, 20), max(12, min(length / 20, 180))
    next_jump = began + jump_every / 2
    decks = {service: [] for service in SERVICES}
    while not stop.wait(generator.uniform(*calm)):
        share = (time.monotonic() - began) / length
        outage = {service: "unavailable" for service, at, lasts in OUTAGES if length >= 1800 and at <= share < at + lasts}
        drawn = {}
        for service in generator.sample(SERVICES, generator.choice((1, 2, 2, 3))):
            decks[service] = decks[service] or generator.sample(FAULTS[service], len(FAULTS[service]))
            drawn[service] = decks[service].pop()
        for weather in skies:
            weather.become(drawn | outage)
        if time.monotonic() >= next_jump:
            clock.jump()
            next_jump = time.monotonic() + jump_every * generator.uniform(0.7, 1.3)
        enough = time.monotonic() + generator.uniform(2, 5)
        longest = time.monotonic() + (5 if length < 300 else 70)  # rules are asked for each minute, STS at each renewal
        while not stop.wait(0.2) and time.monotonic() < longest:
            met = all(weather.seen.get(pair) for weather in skies for pair in drawn.items())
            if met and time.monotonic() >= enough:
                break
        for weather in skies:
            weather.become(outage)
