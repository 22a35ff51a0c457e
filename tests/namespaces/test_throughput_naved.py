"""nave-bench throughput around a spoke and a hub: what it sends goes through GRE and ESP. No case asserts a rate."""

import json
import sys
from pathlib import Path

from test_throughput import bench, check_result

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))
from throughput import naved_pair  # noqa: E402


def setup(lab):
    lab.joined = naved_pair(lab).options


def the_rig_finds_the_rates_of_a_tunnel(lab):
    file = lab.directory / "report.json"
    status, output = bench(lab, "--sizes", "256", "--flows", "4", "--trial-seconds", "0.2", "--repeat", "3", "--resolution", "20", "--rate-max", "20k",
                           "--json", file, "--quiet")
    assert status == 0, output
    result = json.loads(file.read_text())["results"][0]
    check_result(result)
    received = sum(trial["received"] for trial in (*result["trials"], result["at_load"]))
    decrypted = sum(stage["packets"] for stage in lab.ctl("hub", "show", "stages") if stage["stage"] == "esp-decrypt")
    assert decrypted >= received > 0, (decrypted, received)
