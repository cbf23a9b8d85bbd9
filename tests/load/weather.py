"""The fault schedule: jumps of the clock of a process, and faults of the services that it calls."""

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
# Long outages as fractions of the run: service, start, duration. The outage of the rules is longer than the ten minutes for which
# unconfirmed rules stay active.
OUTAGES = (("sts", 0.22, 0.07), ("rules", 0.40, 0.22), ("s3", 0.80, 0.04))


class Clock:
    """The clock of the processes under test, which libfaketime reads from a file. It jumps only while no action runs."""

    def __init__(self, folder):
        self.path = folder / "clock"
        self.offset = 0
        self.jumps = 0
        self._offsets = itertools.cycle((SKEW, -SKEW, 0))
        self.lock = SharedLock()
        self._write()

    def now(self):
        return time.time() + self.offset

    def jump(self):
        with self.lock.exclusive():
            self.offset = next(self._offsets)
            self._write()
            self.jumps += 1
            time.sleep(3)  # libfaketime reads the file about once a second

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


class SharedLock:
    """A lock for many shared holders or one exclusive holder."""

    def __init__(self):
        self._holders = 0
        self._exclusive = False
        self._changed = threading.Condition()

    def __enter__(self):
        with self._changed:
            self._changed.wait_for(lambda: not self._exclusive)
            self._holders += 1

    def __exit__(self, *_):
        with self._changed:
            self._holders -= 1
            self._changed.notify_all()

    def exclusive(self):
        return ExclusiveLock(self)


class ExclusiveLock:
    def __init__(self, lock):
        self.lock = lock

    def __enter__(self):
        lock = self.lock
        with lock._changed:
            lock._changed.wait_for(lambda: not lock._exclusive)
            lock._exclusive = True
            lock._changed.wait_for(lambda: lock._holders == 0)

    def __exit__(self, *_):
        with self.lock._changed:
            self.lock._exclusive = False
            self.lock._changed.notify_all()


class FaultSchedule:
    """The current and past faults of each service."""

    def __init__(self):
        self.now = {}
        self.past = []  # (service, from, to)
        self.seen = {}  # (service, fault): how often it was injected
        self._since = {}
        self._lock = threading.Lock()

    def fault(self, service):
        with self._lock:
            fault = self.now.get(service)
            if fault:
                self.seen[service, fault] = self.seen.get((service, fault), 0) + 1
            return fault

    def set_faults(self, faults):
        now = time.monotonic()
        with self._lock:
            for service in SERVICES:
                if service in self.now and service not in faults:
                    self.past.append((service, self._since.pop(service), now))
                if service in faults:
                    self._since.setdefault(service, now)
            self.now = dict(faults)

    def had_fault(self, services, start, end):
        """Returns true if one of the services had a fault between the two times, with a tolerance of half a second."""
        with self._lock:
            for service in services:
                if self._since.get(service, end + 1) < end:
                    return True
            recent = reversed(self.past)
            return any(service in services and since < end and until > start - 0.5 for service, since, until in recent)


def run_faults(schedules, clock, ends, stop):
    """Alternates between faults and fault-free periods until the end, adds the long outages, and lets the clock jump."""
    generator = random.Random(4)
    began = time.monotonic()
    length = ends - began
    calm, jump_every = (3, 8) if length < 300 else (5, 20), max(12, min(length / 20, 180))
    next_jump = began + jump_every / 2
    decks = {service: [] for service in SERVICES}
    while not stop.wait(generator.uniform(*calm)):
        elapsed = (time.monotonic() - began) / length
        outage = {service: "unavailable" for service, at, lasts in OUTAGES if length >= 1800 and at <= elapsed < at + lasts}
        drawn = {}
        for service in generator.sample(SERVICES, generator.choice((1, 2, 2, 3))):
            decks[service] = decks[service] or generator.sample(FAULTS[service], len(FAULTS[service]))
            drawn[service] = decks[service].pop()
        for schedule in schedules:
            schedule.set_faults(drawn | outage)
        if time.monotonic() >= next_jump:
            clock.jump()
            next_jump = time.monotonic() + jump_every * generator.uniform(0.7, 1.3)
        earliest = time.monotonic() + generator.uniform(2, 5)
        latest = time.monotonic() + (5 if length < 300 else 70)  # rules are refreshed every minute, sessions at each renewal
        while not stop.wait(0.2) and time.monotonic() < latest:
            injected = all(schedule.seen.get(pair) for schedule in schedules for pair in drawn.items())
            if injected and time.monotonic() >= earliest:
                break
        for service, fault in drawn.items():
            if not all(schedule.seen.get((service, fault)) for schedule in schedules):
                decks[service].insert(0, fault)
        for schedule in schedules:
            schedule.set_faults(outage)
