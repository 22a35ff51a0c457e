#!/usr/bin/env python3
"""Runs nave against peers that we did not write: strongSwan, FRR nhrpd and Linux's own GRE and ESP, in user-mode-linux guests."""

import argparse
import contextlib
import fnmatch
import importlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

from guests import GuestLab
from lab import take_down_orphans
from pair import INITIATOR, RESPONDER
from world import World

# Each has a list SCENARIOS; they run in this order.
MODULES = ["handshakes", "proposals", "key_exchanges", "certificates", "revocation", "narrow_path", "ppk", "rekeying", "liveness", "nat", "resumption", "dmvpn", "routing"]


class Table:
    """Rows of results, printed as they come; used by several threads."""

    def __init__(self, width):
        self.width, self.rows, self.lock = width, [], threading.Lock()
        print(f"{'scenario':{width}}  role       result  seconds", flush=True)

    def add(self, scenario, role, failure, seconds, logs):
        with self.lock:
            self.rows.append({"scenario": scenario.name, "role": role, "result": "fail" if failure else "pass", "seconds": round(seconds, 1)})
            print(f"{scenario.name:{self.width}}  {role:9}  {'FAIL' if failure else 'pass':6}  {seconds:7.1f}", flush=True)
            if failure:
                print(failure)
                for name, text in logs.items():
                    print(f"--- end of the log of {name}\n{text}")
                sys.stdout.flush()


def play(table, scenario, role, stage):
    """One scenario in one role; true if it passed."""
    started, failure = time.monotonic(), None
    try:
        scenario.play(stage)
    except Exception:
        failure = traceback.format_exc()
    seconds = time.monotonic() - started
    table.add(scenario, role, failure, seconds, stage.logs() if failure else {})
    return not failure


def run_pairs(table, world, role, scenarios):
    """All scenarios of one role with one peer, on a guest and a gateway of their own. When those cannot be had, the rest failed."""
    left = [scenario for scenario in scenarios if role in scenario.roles]
    try:
        pair = world.pair(role) if left else None
        while left:
            passed = play(table, left[0], role, pair)
            left.pop(0)
            if not passed:
                pair.prepare()
    except Exception:
        for scenario in left:
            table.add(scenario, role, traceback.format_exc(limit=3), 0, {})


def run_wide(table, world, roles, scenarios):
    left = [(scenario, role) for scenario in scenarios for role in scenario.roles if role in roles]
    try:
        world.boot("linux1", "linux2", "linux3")
        while left:
            world.fresh(left[0][1])
            play(table, *left[0], world)
            left.pop(0)
    except Exception:
        for scenario, role in left:
            table.add(scenario, role, traceback.format_exc(limit=3), 0, {})


def chosen(names):
    """The scenarios that are named, by themselves, by their file, or by a pattern of the shell; all when none is."""
    found = [(module, scenario) for module in MODULES for scenario in importlib.import_module(module).SCENARIOS]
    for name in names:
        if not any(module == name or fnmatch.fnmatchcase(scenario.name, name) for module, scenario in found):
            sys.exit(f"no scenario is named {name!r}; files: {', '.join(MODULES)}; scenarios: {', '.join(scenario.name for _, scenario in found)}")
    return [scenario for module, scenario in found
            if not names or any(module == name or fnmatch.fnmatchcase(scenario.name, name) for name in names)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a scenario, a pattern such as 'esp-*', or a file: " + ", ".join(MODULES))
    parser.add_argument("--role", choices=[INITIATOR, RESPONDER], help="only with nave in this role")
    parser.add_argument("--json", metavar="FILE", help="write the table to this file as well")
    options = parser.parse_args()
    scenarios = chosen(options.names)
    roles = [options.role] if options.role else [INITIATOR, RESPONDER]
    narrow, wide = ([scenario for scenario in scenarios if scenario.wide == is_wide] for is_wide in (False, True))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))  # so that the lab is taken down
    take_down_orphans("navei")
    table = Table(max(len(scenario.name) for scenario in scenarios))
    with contextlib.ExitStack() as labs:
        lanes = []
        # Two labs that share nothing: much of the time goes into waiting.
        for wanted, letter in ((narrow, "n"), (wide, "w")):
            if wanted:
                lab = labs.enter_context(GuestLab(f"navei{os.getpid()}-{letter}"))
                lab.wide_area()
                world = World(lab)
                lanes += [(run_wide, table, world, roles, wanted)] if wanted is wide else [(run_pairs, table, world, role, wanted) for role in roles]
        threads = [threading.Thread(target=lane[0], args=lane[1:], daemon=True) for lane in lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if options.json:
        with open(Path(os.environ.get("NAVE_CALLED_FROM", ".")) / options.json, "w", encoding="utf-8") as file:
            json.dump(table.rows, file, indent=1)
    failed = sum(row["result"] == "fail" for row in table.rows)
    print(f"{len(table.rows) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
