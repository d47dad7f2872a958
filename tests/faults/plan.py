#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault plan of disk and process: every fault at every system call by which the
daemon reaches its state directory, the radio or the bus.

    tests/faults/plan.py [--seed N] [--only KIND,...] [--at N] [--full] [--jobs N] [--json FILE]

Without --full a sample of a minute, chosen by the seed. Prints what each fault
cost, by the phase that it met. Whatever is wrong is told with the command that
does the same again. $MESHCORED_BUILD is the build directory, else "build"."""

import argparse
import collections
import json
import multiprocessing
import os
import random
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "integration"), HERE]
if os.access("/dev/shm", os.W_OK):
    os.environ.setdefault("TMPDIR", "/dev/shm")

from damage import DAMAGES, schema_steps  # noqa: E402
from life import Fault, Life, Rig  # noqa: E402

BUILD = os.path.abspath(os.environ.get("MESHCORED_BUILD", "build"))
YEAR = 365 * 86400
CLOCKS = (-50 * YEAR, -YEAR, -86400, -3600, -2, 2, 3600, 86400, YEAR, 50 * YEAR)
SLEEPS = (0, 4, 30, 86400)
PHASES = ("start", "sync", "receive", "store", "signal", "call", "send", "ack", "stop")
GOALS = 9  # of a life
SAMPLE = 5  # of each kind


def kill(at, dice):
    return Fault("kill", at)


def torn(at, dice):
    return Fault("torn", at, value=dice.randrange(1 << 20))


def power(at, dice):
    """The power goes: of what was not synced nothing arrives, or some."""
    return Fault("kill", at, power=True, seed=dice.choice((0, 0, dice.randrange(1, 1 << 30))))


def lost_sync(at, dice):
    """A sync fails, and some calls later the power goes."""
    return Fault("fsync", at, kill=dice.randint(1, 60), power=True, seed=dice.choice((0, dice.randrange(1, 1 << 30))))


def suspend(at, dice):
    return Fault("stop", at, value=dice.choice(SLEEPS))


def clock(at, dice):
    return Fault("clock", at, value=dice.choice(CLOCKS))


def once(kind):
    return lambda at, dice: Fault(kind, at)


def lasting(kind):
    return lambda at, dice: Fault(kind, at, last=True)


def lasting_kill(at, dice):
    """Killed while nothing can be written."""
    return Fault("full", at, last=True, kill=dice.randint(1, 40))


def radio_clock(at, dice):
    """at: which goal of the life, and how far."""
    return Fault("none", radio_clock=(at % GOALS, CLOCKS[at // GOALS % len(CLOCKS)]))


# name → (what the shim counts, the fault)
KINDS = {"kill": ("kill", kill), "torn": ("torn", torn), "power": ("kill", power), "suspend": ("stop", suspend),
         "host-clock": ("clock", clock)}  # fmt: skip
for name in ("full", "enospc", "eio", "erofs", "short", "fsync", "read"):
    KINDS[name] = (name, once(name))
    KINDS[name + "-lasting"] = (name, lasting(name))
KINDS["fsync-power"] = ("fsync", lost_sync)
KINDS["full-kill"] = ("full", lasting_kill)


# The same from a store of each older version, until the daemon is on the bus: kind@version.
MIGRATED = ("kill", "torn", "power", "enospc", "eio", "fsync-power")


class Plan:
    """Lives in this process."""

    def __init__(self):
        self.rig = Rig(os.path.join(BUILD, "tests", "faults", "fault-shim.so"))

    def count(self, kind, schema):
        """How many calls a life without a fault makes that this kind counts."""
        life = Life(self.rig, Fault(kind, schema=schema))
        life.run()
        if life.wrong or any(life.account()):
            raise AssertionError(f"without any fault: {life.account()} {life.wrong}")
        lines = life.trace()
        if schema is not None:  # the rest is that of the others
            lines = lines[: next(n for n, line in enumerate(lines) if " bus " in line)]
        return max(int(line.split()[1]) for line in lines)

    def live(self, name, at, seed):
        begun = time.monotonic()
        dice = random.Random(f"{seed}-{name}-{at}")
        log_at = self._log_size()
        if name == "radio-clock":
            fault = radio_clock(at, dice)
        elif name in DAMAGES:
            fault = Fault("none", damage=DAMAGES[name](self.rig, at, dice), silent=name == "wal-cut")
        else:
            base, _, schema = name.partition("@")
            fault = KINDS[base][1](at, dice)
            fault.schema = int(schema) if schema else None
        life = Life(self.rig, fault)
        life.run()
        lost, in_flight, doubled = life.account()
        excess = in_flight if len(in_flight) > max(1, life.notes["killed"]) or not life.notes["killed"] else []
        result = {
            "kind": name, "at": at, "phase": life.phase, "lost": lost + excess, "in_flight": len(in_flight), "doubled": doubled,
            "wrong": life.wrong, "notes": life.notes, "typed": life.typed, "seconds": time.monotonic() - begun,
        }  # fmt: skip
        if lost + excess + doubled + life.wrong:
            with open(os.path.join(self.rig.bed.directory, "meshcored.log"), "rb") as log:
                log.seek(log_at)
                result["log"] = log.read().decode("utf-8", "replace")
        return result

    def _log_size(self):
        path = os.path.join(self.rig.bed.directory, "meshcored.log")
        return os.path.getsize(path) if os.path.exists(path) else 0


def work(todo, done):
    plan = Plan()
    while (task := todo.get()) is not None:
        what, *arguments = task
        try:
            done.put((task, getattr(plan, what)(*arguments)))
        except Exception:  # pylint: disable=broad-except
            done.put((task, traceback.format_exc()))
    plan.rig.close()


class Pool:
    def __init__(self, jobs):
        self.todo, self.done = multiprocessing.Queue(), multiprocessing.Queue()
        self.workers = [multiprocessing.Process(target=work, args=(self.todo, self.done)) for _ in range(jobs)]
        for worker in self.workers:
            worker.start()

    def run(self, tasks):
        for task in tasks:
            self.todo.put(task)
        for _ in tasks:
            yield self.done.get()

    def close(self):
        for _ in self.workers:
            self.todo.put(None)
        for worker in self.workers:
            worker.join()


def choose(options, kinds, pool):
    """The tasks of this run."""
    rest = [k for k in kinds if k not in DAMAGES and k != "radio-clock"]
    keys = sorted({(KINDS[k.partition("@")[0]][0], int(k.partition("@")[2]) if "@" in k else None) for k in rest}, key=str)
    counts = {}
    for task, n in pool.run([("count", *key) for key in keys]):
        if not isinstance(n, int):
            sys.exit(n)
        counts[task[1:]] = n
    tasks = []
    for kind in kinds:
        if kind in DAMAGES:
            n = DAMAGES[kind].places
        elif kind == "radio-clock":
            n = GOALS * len(CLOCKS)
        else:
            base, _, schema = kind.partition("@")
            n = counts[KINDS[base][0], int(schema) if schema else None]
        numbers = list(range(1, n + 1))
        if options.at:
            numbers = options.at
        elif not options.full:
            numbers = sorted(random.Random(f"{options.seed}-{kind}").sample(numbers, min(options.sample, n)))
        elif options.every > 1:
            numbers = numbers[options.seed % options.every :: options.every]
        tasks += [("live", kind, at, options.seed) for at in numbers]
    random.Random(options.seed).shuffle(tasks)
    return tasks


def show(results):
    kinds = list(dict.fromkeys(r["kind"] for r in results))
    table = collections.defaultdict(lambda: collections.Counter())
    for r in results:
        for phase in (r["phase"], "all"):
            cell = table[r["kind"], phase]
            cell["runs"] += 1
            cell["flight"] += r["in_flight"]
            cell["lost"] += len(r["lost"])
            cell["doubled"] += len(r["doubled"])
            cell["wrong"] += len(r["wrong"])
    print(f"\n{'runs/in flight/lost/doubled/wrong state':40}")
    phases = [p for p in PHASES if any((k, p) in table for k in kinds)] + ["all"]
    print(f"{'':18}" + "".join(f"{p:>14}" for p in phases))
    for kind in sorted(kinds):
        line = f"{kind:18}"
        for phase in phases:
            c = table.get((kind, phase))
            line += f"{'/'.join(str(c[x]) for x in ('runs', 'flight', 'lost', 'doubled', 'wrong')) if c else '-':>14}"
        print(line)
    notes = collections.Counter()
    for r in results:
        notes.update(r["notes"])
        if r["typed"] is not None:
            notes["fault told as storage-full" if r["typed"] else "fault never told"] += 1
    print("notes:", dict(notes))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="kinds, with commas between; --list names them")
    parser.add_argument("--at", type=lambda text: [int(n) for n in text.split(",")], help="numbers of calls")
    parser.add_argument("--full", action="store_true", help="every call instead of a sample")
    parser.add_argument("--every", type=int, default=1, help="with --full, only each so manieth")
    parser.add_argument("--sample", type=int, default=SAMPLE, help="how many of each kind without --full")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", help="all results")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--verbose", action="store_true", help="the daemon's log of what went wrong")
    options = parser.parse_args()
    versions = len(schema_steps(os.path.join(BUILD, "tests", "faults", "schema-steps")))
    known = [*KINDS, *(f"{kind}@{version}" for kind in MIGRATED for version in range(1, versions)), "radio-clock", *DAMAGES]
    if options.list:
        print("\n".join(known))
        return 0
    kinds = options.only.split(",") if options.only else known
    if set(kinds) - set(known):
        parser.error("unknown kind: " + ", ".join(set(kinds) - set(known)))

    begun = time.monotonic()
    pool = Pool(options.jobs)
    results, bad = [], 0
    for task, result in pool.run(choose(options, kinds, pool)):
        again = f"plan.py --seed {options.seed} --only {task[1]} --at {task[2]}"
        if isinstance(result, str):
            result = {"kind": task[1], "at": task[2], "phase": "start", "lost": [], "in_flight": 0, "doubled": [],
                      "wrong": [result], "notes": {}, "typed": None, "seconds": 0}  # fmt: skip
        if result["lost"] or result["doubled"] or result["wrong"]:
            bad += 1
            print(f"{again} ({result['phase']}): lost {result['lost']}, doubled {result['doubled']}, wrong {result['wrong']}",
                  flush=True)  # fmt: skip
            if options.verbose:
                print(result.get("log", ""))
        results.append(result)
    pool.close()
    show(results)
    print(f"{len(results)} lives, {bad} with something wrong, seed {options.seed}, {time.monotonic() - begun:.0f} s")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
