#!/usr/bin/env python3
"""Runs nave-bench's measurements of the dataplane with tiny counts: they work, and their output is what programs rely on. No figure decides."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

BENCH = sys.argv[1] if len(sys.argv) > 1 else str(Path(__file__).resolve().parents[2] / "build" / "tests" / "rig" / "nave-bench")
FOLDER = Path(tempfile.mkdtemp(prefix="nave-bench-"))
TINY = ["--rounds", "2", "--batches", "3"]
CASES = []


def case(function):
    CASES.append(function)
    return function


def bench(*arguments, status=0):
    done = subprocess.run([BENCH, *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == status, f"nave-bench {' '.join(arguments)}: exit status {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def figures(*arguments):
    file = FOLDER / "figures.json"
    text = bench("dataplane", *TINY, *arguments, "--json", str(file))
    return json.loads(file.read_text()), text


PLAIN = {"forward", "gre"}  # cases without a cipher


@case
def every_case_and_algorithm_gives_a_record():
    algorithms = ["aes-128-gcm", "aes-256-gcm", "chacha20-poly1305", "aes-128-cbc-hmac-sha256", "aes-256-cbc-hmac-sha384", "aes-128-cbc-hmac-sha512"]
    records, text = figures("--case", "forward", "gre", "encap", "decap", "relay", "loop", "--algorithm", *algorithms, "--size", "64", "imix")
    assert {record["case"] for record in records} == {"forward", "gre", "encap", "decap", "relay", "loop"}
    assert {record["size"] for record in records} == {64, "imix"}
    assert {record["algorithm"] for record in records if record["case"] not in PLAIN} == set(algorithms)
    for record in records:
        assert record["cycles"] > 0 and record["mpps"] > 0 and record["gbps"] > 0, record
        assert record["peers"] == 1 and record["workers"] == 1, record
        assert (record["floor_cycles"] > 0) == (record["case"] not in PLAIN), record
        assert sum(record["stages"].values()) <= record["cycles"] * 1.5, record
    assert "esp-encrypt" in text and "over" in text


@case
def a_loop_costs_what_its_halves_pass_through():
    records, _ = figures("--case", "encap", "decap", "loop", "--size", "64")
    stages = {record["case"]: record["stages"] for record in records}
    assert stages["encap"]["esp-encrypt"] > 0 and stages["encap"]["esp-decrypt"] == 0
    assert stages["decap"]["esp-decrypt"] > 0 and stages["decap"]["esp-encrypt"] == 0
    assert stages["loop"]["esp-decrypt"] > 0 and stages["loop"]["esp-encrypt"] > 0


@case
def many_peers_in_every_order_and_shape_of_tunnel():
    for options in (["--distribution", "round-robin", "shuffled", "zipf"], ["--natt", "--esn", "--no-gre-key"], ["--mode", "adaptive", "--burst", "7"]):
        records, _ = figures("--peers", "3", "500", "--size", "1400", *options)
        assert {record["peers"] for record in records} == {3, 500}
    assert {record["mode"] for record in records} == {"adaptive"} and {record["burst"] for record in records} == {7}


@case
def two_workers_carry_their_own_and_each_others_packets():
    if len(os.sched_getaffinity(0)) < 2:
        assert "each needs a core" in bench("dataplane", "--workers", "2", status=2)
        return
    records, text = figures("--workers", "1,2", "--arrival", "owner", "half-elsewhere", "--peers", "8", "--case", "forward", "encap", "decap", "--size", "64")
    assert {(record["workers"], record["arrival"]) for record in records} == {(1, "owner"), (2, "owner"), (2, "half-elsewhere")}
    assert "several workers against one" in text


@case
def a_run_is_held_against_an_earlier_one():
    file = FOLDER / "before.json"
    bench("dataplane", *TINY, "--size", "64", "128", "--case", "encap", "--json", str(file))
    before = json.loads(file.read_text())
    for record in before:
        record["cycles"] = 1e9
    file.write_text(json.dumps(before))
    text = bench("dataplane", *TINY, "--size", "64", "--case", "encap", "--against", str(file))
    assert re.search(r"encap +aes-128-gcm +64 +1 +1000000000\.0 +[\d.]+ +0\.000", text), text


@case
def curves_are_drawn():
    file = FOLDER / "curves.svg"
    bench("dataplane", *TINY, "--size", "64", "1400", "--case", "encap", "decap", "--peers", "1", "10", "--plot", str(file))
    texts = [element.text or "" for element in ElementTree.parse(file).getroot().iter() if element.tag.endswith("text")]
    for words in ("aes-128-gcm, one peer: cost of a packet", "aes-128-gcm, many peers: cost of a packet", "decap, 1400 bytes", "bare cipher, 64 bytes"):
        assert words in texts, texts
    bench("dataplane", *TINY, "--size", "64", "--case", "encap", "--plot", "/nonexistent/curves.svg", status=1)


@case
def wrong_options_are_refused_with_words():
    for arguments, words in (
        (["--size", "63"], "--size 63"), (["--case", "encaps"], "--case encaps"), (["--peers", "0"], "--peers 0"), (["--burst", "2000"], "accepted are 1 to 1000"),
        (["--sise", "64"], "sise"), (["--against", "/nonexistent"], "cannot be read"), (["--case", "loop", "--arrival", "half-elsewhere"], "no combination"),
    ):
        text = bench("dataplane", *arguments, status=2)
        assert words in text, text
    assert "usage" in bench("nonsense", status=2)
    assert "--quick" in bench("dataplane", "--help") and "--rekey" in bench("soak", "--help")


@case
def a_soak_loses_nothing_while_keys_change():
    text = bench("soak", "--packets", "300000", "--rekey", "1500", "--threads", "1")
    counts = dict(re.findall(r"([a-zA-Z ]+) (\d+)", text.replace("packets sent", "sent")))
    counts = {name.strip(): int(count) for name, count in counts.items()}
    assert counts["sent"] >= 300000 and counts["intact"] == counts["sent"], text
    assert counts["damaged"] == counts["dropped"] == counts["lost without a counter"] == counts["buffers leaked"] == 0, text
    # 36 peers with two SAs each, each replaced after every 1,500 packets of its own.
    assert counts["SAs replaced"] >= 72 * (300000 // 72 // 1500 - 1), text


def main():
    failed = 0
    for each in CASES:
        try:
            each()
        except (AssertionError, subprocess.TimeoutExpired, KeyError, ValueError) as error:
            failed += 1
            print(f"FAIL {each.__name__}: {error}")
    print(f"{len(CASES) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
