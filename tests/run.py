#!/usr/bin/env python3
"""Runs the kinds of tests and adds up their cases; scripts/test calls it after it has installed what is missing."""

import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RELEASE, SANITIZE = ROOT / "build", ROOT / "build-sanitize"
FUZZ_SECONDS = 20
INTEROP_SECONDS_MAX = 900
KINDS = ["tidy", "unit", "simulation", "rig", "e2e", "interop", "fuzz"]
SANITIZER_ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99:detect_stack_use_after_return=0",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99",
    "LSAN_OPTIONS": f"suppressions={ROOT}/tests/lsan.supp:print_suppressions=0",
}


class Tally:
    """Counts cases and remembers what failed."""

    def __init__(self):
        self.passed, self.failures = 0, []

    def add(self, name, passed, failed, output="", seconds=0.0):
        self.passed += passed
        print(f"{'FAIL' if failed else 'ok  '} {name}: {passed} passed, {failed} failed ({seconds:.1f} s)", flush=True)
        if failed:
            self.failures += [name] * failed
            # The end explains the last failure; of the others at least the name and the lines before it are to be seen.
            lines = output.splitlines()
            print(*(line[:1000] for i, found in enumerate(lines) if found.startswith("FAIL") for line in lines[max(i - 8, 0):i + 1]), output[-6000:], sep="\n", flush=True)


def run(command, environment=None, timeout=600):
    """Gives (exit status, output, seconds); a command that outlives its time is a failure, not a hang."""
    started = time.monotonic()
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})},
                              cwd=ROOT, timeout=timeout)
        return done.returncode, done.stdout.decode(errors="replace"), time.monotonic() - started
    except subprocess.TimeoutExpired as late:
        return 124, (late.stdout or b"").decode(errors="replace") + f"\ntimed out after {timeout} s", time.monotonic() - started


def catch_cases(output):
    """(passed, failed) from the last lines of a Catch2 program; nothing when it did not get that far."""
    if match := re.search(r"All tests passed \(.* in (\d+) test cases?\)", output):
        return int(match[1]), 0
    if match := re.search(r"test cases:\s*(\d+)(?:\s*\|\s*(\d+) passed)?(?:\s*\|\s*(\d+) failed)?", output):
        return int(match[2] or 0), int(match[3] or 0)
    return None


def build(kind):
    subprocess.run(["scripts/build", kind], cwd=ROOT, check=True)


def programs(tree, folder, prefix):
    return sorted(path for path in (tree / "tests" / folder).rglob(prefix + "*") if path.is_file() and os.access(path, os.X_OK) and not path.suffix)


def run_catch(tally, tree, paths, arguments=(), jobs=2):
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for path, (status, output, seconds) in zip(paths, pool.map(lambda p: run([p, *arguments], SANITIZER_ENVIRONMENT), paths)):
            cases = catch_cases(output)
            passed, failed = cases if cases else (0, 1)
            tally.add(f"{path.name} ({tree.name})", passed, failed if status == 0 or failed else 1, output, seconds)


def tidy(tally):
    status, output, seconds = run(["scripts/tidy"])
    tally.add("tidy", int(status == 0), int(status != 0), output, seconds)


def unit(tally):
    run_catch(tally, SANITIZE, programs(SANITIZE, "unit", "unit_"))
    status, output, seconds = run([sys.executable, "tests/unit/nhrp/dissected.py", SANITIZE / "tests" / "unit" / "nhrp" / "unit_nhrp"], SANITIZER_ENVIRONMENT)
    tally.add("NHRP in tshark", int(status == 0), int(status != 0), output, seconds)


def simulation(tally):
    for tree, extent in ((RELEASE, "full"), (SANITIZE, "reduced")):
        for program in ("simulation", "collisions"):
            status, output, seconds = run([tree / "tests" / "simulation" / program], {**SANITIZER_ENVIRONMENT, "NAVE_SIMULATION": extent}, timeout=900)
            print("\n".join(output.splitlines()[-3:]))
            tally.add(f"{program}, {extent} ({tree.name})", int(status == 0), int(status != 0), output, seconds)
    run_catch(tally, SANITIZE, programs(SANITIZE, "simulation", "simulation_cases"))


def rig(tally):
    for tree in (RELEASE, SANITIZE):
        status, output, seconds = run([sys.executable, "tests/rig/smoke.py", tree / "tests" / "rig" / "nave-bench"], SANITIZER_ENVIRONMENT, timeout=900)
        count(tally, f"nave-bench ({tree.name})", status, output, seconds)


def e2e(tally):
    import shutil
    if os.geteuid() != 0 or not shutil.which("ip"):
        print("The end-to-end tests make network namespaces: run them as root.")
        sys.exit(2)
    environment = {"NAVE_BUILD": str(SANITIZE), **SANITIZER_ENVIRONMENT}
    # What an idle gateway costs is a matter of the release build; all else runs sanitized.
    sanitized = sorted(path.stem for path in (ROOT / "tests" / "namespaces").glob("test_*.py") if path.stem != "test_idle")
    for modules, name, variables in ((sanitized, "sanitized", environment), (["test_idle"], "release", {"NAVE_BUILD": str(RELEASE)})):
        status, output, seconds = run([sys.executable, "tests/namespaces/run.py", *modules], variables, timeout=1200)
        count(tally, f"end to end ({name})", status, output, seconds)
    status, output, seconds = run(["scripts/demo", "--once", "--json", str(ROOT / "build" / "demo.json")], timeout=400)
    tally.add("demo --once", int(status == 0), int(status != 0), output, seconds)


def interop(tally, arguments=()):
    """Its table is shown while it grows."""
    started, lines = time.monotonic(), []
    with subprocess.Popen([sys.executable, "tests/interop/run.py", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT, text=True,
                          errors="replace") as process:
        watchdog = threading.Timer(INTEROP_SECONDS_MAX, process.terminate)
        watchdog.start()
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
        watchdog.cancel()
    count(tally, "interop", process.returncode, "".join(lines), time.monotonic() - started)


def count(tally, name, status, output, seconds):
    """Adds a runner of ours, which ends with `N passed, N failed`."""
    match = re.findall(r"^(\d+) passed, (\d+) failed", output, re.M)
    passed, failed = map(int, match[-1]) if match else (0, 1)
    tally.add(name, passed, failed if failed or status == 0 else 1, output, seconds)


def fuzz(tally):
    targets = programs(SANITIZE, "fuzz", "fuzz_")

    def one(path):
        corpus = ROOT / "tests" / "fuzz" / "corpus" / path.name.removeprefix("fuzz_")
        found = SANITIZE / "fuzz-found" / path.name
        found.mkdir(parents=True, exist_ok=True)
        return run([path, f"-max_total_time={FUZZ_SECONDS}", "-timeout=5", "-rss_limit_mb=2048", f"-artifact_prefix={found}/", "-print_final_stats=1",
                    found, corpus], SANITIZER_ENVIRONMENT, timeout=FUZZ_SECONDS + 120)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for path, (status, output, seconds) in zip(targets, pool.map(one, targets)):
            tally.add(path.name, int(status == 0), int(status != 0), output, seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__, prog="scripts/test",
                                     epilog="What follows -- goes to tests/interop/run.py: scripts/test interop -- psk 'esp-*' --json table.json")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="one or more of " + ", ".join(KINDS) + "; all when none is named")
    words = sys.argv[1:]
    end = words.index("--") if "--" in words else len(words)
    kinds = parser.parse_args(words[:end]).kinds or KINDS
    for unknown in set(kinds) - set(KINDS):
        parser.error(f"unknown kind {unknown!r}; known: {', '.join(KINDS)}")
    if words[end + 1:] and kinds != ["interop"]:
        parser.error("only the kind interop takes arguments behind --")
    tally = Tally()
    if {"unit", "simulation", "rig", "e2e", "fuzz"} & set(kinds):
        build("sanitize")
    if {"simulation", "rig", "e2e", "interop"} & set(kinds):
        build("with-simulation")
    for kind in kinds:
        print(f"\n== {kind}", flush=True)
        globals()[kind](tally, *([words[end + 1:]] if kind == "interop" else []))
    for name in tally.failures:
        print(f"failed: {name}")
    print(f"{tally.passed} passed, {len(tally.failures)} failed")
    sys.exit(1 if tally.failures else 0)


if __name__ == "__main__":
    main()
