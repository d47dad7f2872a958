#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The show of .ci/demo: a simulated radio with a mesh behind it, the daemon
on a bus of its own, and meshcorectl. Ends by itself; status 0 if all of it
happened. Nothing is left behind."""

import json
import os
import sys
import time

sys.dont_write_bytecode = True

if len(sys.argv) > 1:
    os.environ["MESHCORED_BUILD"] = os.path.abspath(sys.argv[1])

from programs import Bed, Failure, Program, find_program  # noqa: E402  pylint: disable=wrong-import-position

LIMIT = 40.0
COLOUR = sys.stdout.isatty()


def explain(text):
    print(f"\n\033[1m# {text}\033[0m" if COLOUR else f"\n# {text}", flush=True)


def show(text):
    print("\n".join("    " + line for line in text.rstrip("\n").splitlines()), flush=True)


def run(bed, *arguments):
    """Shows a command as it could be typed, and what it prints."""
    print("$ meshcorectl --session " + " ".join(f"'{a}'" if " " in a else a for a in arguments), flush=True)
    result = bed.ctl(*arguments, timeout=LIMIT)
    show(result.stdout + result.stderr)
    return result.stdout


def wait_ready(bed):
    """The daemon says when it is ready; meshcorectl monitor passes it on."""
    monitor = start_ctl(bed, "monitor", "--json")  # its first line says that it listens
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        if json.loads(bed.ctl("radios", "--json").stdout)[0]["State"] == "ready":
            monitor.terminate()
            return
        monitor.read_line(deadline - time.monotonic())
    raise Failure("the radio did not become ready:\n" + bed.daemon.log())


def start_ctl(bed, *arguments):
    argv = [find_program("meshcorectl"), "--session", *arguments]
    program = Program("meshcorectl-" + arguments[0], argv, bed.directory, bed.environment())
    bed.programs.append(program)
    return program


def demonstrate(bed):
    explain("A private D-Bus daemon, so that nothing of yours is touched, and a simulated radio on TCP.")
    bed.start_bus()
    sim = bed.start_sim(arguments=None)
    show(" ".join(map(os.path.basename, sim.argv[:1])) + f": the radio is at {sim.transport}")

    explain("meshcored takes the radio; its whole configuration is:")
    bed.write_config({"sim": sim})
    with open(bed.config, encoding="utf-8") as config:
        show(config.read())
    bed.start_daemon()
    bed.run("gdbus", "wait", "--session", "--timeout", str(int(LIMIT)), "org.meshcored1")
    wait_ready(bed)
    run(bed, "status")

    explain("The radio's contacts are on the bus, for any number of programs at once.")
    run(bed, "contacts")
    contacts = json.loads(bed.ctl("contacts", "--json").stdout)
    friend = next(c["Name"] for c in contacts if c["Type"] == "chat")

    explain(f"{friend} writes to us. A client that is listening sees it at once; the daemon had it on disk before.")
    print("$ meshcorectl --session messages --follow", flush=True)
    follower = start_ctl(bed, "messages", "--follow")
    text = "Hello from the mesh!"
    sim.control("text", from_=friend, text=text)
    deadline = time.monotonic() + LIMIT
    while True:
        line = follower.read_line(max(0.1, deadline - time.monotonic()))
        show(line)
        if text in line:
            break
    follower.terminate()

    explain("Our answer: the command returns when the other side has acknowledged it over the air.")
    run(bed, "send", friend, "Hello to you, loud and clear", "--wait", "delivered")

    explain("Both are in the history, and stay there when the daemon is killed.")
    bed.daemon.kill()
    bed.start_daemon()
    bed.run("gdbus", "wait", "--session", "--timeout", str(int(LIMIT)), "org.meshcored1")
    history = run(bed, "messages")
    if text not in history or "loud and clear" not in history:
        raise Failure("the history is not complete")
    states = {m["State"] for m in json.loads(bed.ctl("messages", "--json").stdout)}
    if states != {"received", "delivered"}:
        raise Failure(f"the states are {states}")


def main():
    directory = None
    try:
        with Bed() as bed:
            directory = bed.directory
            demonstrate(bed)
            wrong = bed.stop()
            if wrong:
                raise Failure("\n".join(wrong))
    except (Failure, StopIteration) as failure:
        print(f"\nThe demonstration failed: {failure}", file=sys.stderr)
        return 1
    if os.path.exists(directory):
        print(f"\n{directory} is left", file=sys.stderr)
        return 1
    explain("Done. Every process has ended and every file of the demonstration is gone.")
    return 0


sys.exit(main())
