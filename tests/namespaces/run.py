#!/usr/bin/env python3
"""Runs the end-to-end cases: every public function of a test_*.py is one case, in order, on the lab that its setup() prepared.

Cases mostly wait, so several files run at a time, each in a process and a lab of its own; those that measure run alone, behind the others."""

import concurrent.futures
import importlib
import inspect
import os
import re
import subprocess
import sys
import time
import traceback
from pathlib import Path

from lab import Lab, take_down_orphans

FILES_AT_A_TIME = 4
ALONE = re.compile("test_(throughput|idle|shaper)")
REPORTS = re.compile(r"(ERROR: (?:Address|Leak)Sanitizer.*|runtime error:.*)")


def cases_of(module):
    own = [value for name, value in vars(module).items() if inspect.isfunction(value) and value.__module__ == module.__name__]
    return [case for case in own if list(inspect.signature(case).parameters) == ["lab"] and case.__name__ != "setup"]


def sanitizer_reports(lab):
    """What ASan or UBSan wrote into any gateway's log."""
    return [f"{path.name}: {match}" for path in lab.directory.glob("*.log") for match in REPORTS.findall(path.read_text(errors="replace"))]


def run_module(name):
    module = importlib.import_module(name)
    passed = failed = 0
    with Lab(f"navet{os.getpid()}") as lab:
        try:
            module.setup(lab)
        except Exception:
            traceback.print_exc()
            print(f"FAIL {name}: setup")
            return 0, len(cases_of(module))
        for case in cases_of(module):
            started = time.monotonic()
            try:
                case(lab)
                passed += 1
                verdict = "ok  "
            except Exception:
                failed += 1
                verdict = "FAIL"
                traceback.print_exc()
            print(f"{verdict} {name}: {case.__name__.replace('_', ' ')} ({time.monotonic() - started:.1f} s)", flush=True)
        for gateway in lab.gateways.values():
            if gateway.poll() is None:
                gateway.terminate()
                gateway.wait(timeout=15)
        for report in sanitizer_reports(lab):
            failed += 1
            print(f"FAIL {name}: {report}")
        if failed:
            for gateway in lab.gateways:
                print(f"--- end of the log of {gateway}\n{lab.log(gateway)[-4000:]}")
    return passed, failed


def run_apart(name):
    """Runs a file in a process of its own, shows what it printed, and gives (passed, failed)."""
    output = subprocess.run([sys.executable, __file__, name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False).stdout.decode(errors="replace")
    *lines, last = output.splitlines() or [""]
    print("\n".join(lines), flush=True)
    counts = re.fullmatch(r"(\d+) passed, (\d+) failed", last)
    if not counts:
        print(f"FAIL {name}: it ended with {last!r}")
    return (int(counts[1]), int(counts[2])) if counts else (0, 1)


def main():
    modules = sys.argv[1:] or sorted(path.stem for path in Path(__file__).parent.glob("test_*.py"))
    take_down_orphans("navet")
    if len(modules) == 1:
        results = [run_module(modules[0])]
    else:
        alone = [name for name in modules if ALONE.match(name)]
        with concurrent.futures.ThreadPoolExecutor(FILES_AT_A_TIME) as pool:
            results = list(pool.map(run_apart, [name for name in modules if name not in alone]))
        results += [run_apart(name) for name in alone]
    print(f"{sum(passed for passed, _ in results)} passed, {sum(failed for _, failed in results)} failed")
    sys.exit(1 if any(failed for _, failed in results) else 0)


if __name__ == "__main__":
    main()
