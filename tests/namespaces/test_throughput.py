"""nave-bench throughput around a plain Linux router. Rates are the machine's business: no case asserts one."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from lab import BUILD

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))
from throughput import linux_router  # noqa: E402

QUICK = ["--trial-seconds", "0.2", "--settle-seconds", "0.1", "--repeat", "3", "--resolution", "20", "--rate-max", "50k", "--quiet"]


def setup(lab):
    lab.joined = linux_router(lab).options


def bench(lab, *options, joined=None):
    """Runs the rig in its namespace; gives (exit status, what it printed)."""
    done = subprocess.run(["ip", "netns", "exec", lab.full("rig"), BUILD / "nave-bench", "throughput", *(joined or lab.joined), *options],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False)
    return done.returncode, done.stdout.decode(errors="replace")


def measured(lab, *options, size=64, joined=None):
    """The JSON report of a run with one frame size that must succeed."""
    file = lab.directory / "report.json"
    file.unlink(missing_ok=True)
    status, output = bench(lab, "--json", file, "--sizes", str(size), *QUICK, *options, joined=joined)
    assert status == 0, output
    return json.loads(file.read_text())


def check_trial(trial):
    assert 0 < trial["received"] <= trial["sent"], trial
    assert trial["wanted_rate"] > 0 and trial["rate"] > 0, trial
    assert trial["duplicates"] == 0 and trial["reordered"] <= trial["received"], trial
    latency = [trial["latency_us"][key] for key in ("min", "p50", "p90", "p99", "p99.9", "max")]
    assert latency == sorted(latency) and latency[0] > 0, latency


def check_result(result):
    ndr, pdr = result["ndr"], result["pdr"]
    assert ndr["rate"] > 0 and ndr["loss"] == 0, ndr
    assert pdr["rate"] >= ndr["rate"] and pdr["loss"] <= 0.005, pdr
    assert ndr["limit"] in ("device", "rig", "rate-max", "trials-max"), ndr
    assert (ndr["missed_at"] is None) == (ndr["limit"] in ("rig", "rate-max")) or ndr["limit"] == "trials-max", ndr
    assert result["trials"], result
    for trial in (*result["trials"], result["at_load"]):
        check_trial(trial)


def the_rig_finds_the_rates_of_a_router_and_reports_them(lab):
    page = lab.directory / "page.svg"
    report = measured(lab, "--plot", page, "--title", "a <router> & more")
    assert report["command"] == "throughput" and report["settings"]["repeat"] == 3
    assert report["ports"]["a"]["gateway"] == "10.1.0.1" and report["ports"]["b"]["driver"] == "net_af_packet"
    assert [result["size"] for result in report["results"]] == [64]
    check_result(report["results"][0])
    words = [element.text for element in ElementTree.parse(page).iter("{http://www.w3.org/2000/svg}text")]
    assert {"a <router> & more", "NDR", "64 bytes", "99.9 %"} <= set(words), words


def both_directions_and_many_hosts_pass_at_once(lab):
    report = measured(lab, "--bidirectional", "--flows", "20", "--vary", "addresses")
    check_result(report["results"][0])
    neighbours = lab.run("router", "ip neigh show dev out")
    assert "10.2.0.29 " in neighbours and "10.2.0.30 " not in neighbours, neighbours


def loss_between_the_thresholds_leaves_a_pdr_and_no_ndr(lab):
    lab.run("router", ["nft", "add table ip lossy; add chain ip lossy way { type filter hook forward priority 0; }; "
                              "add rule ip lossy way udp dport 9 numgen inc mod 1000 < 3 drop"])
    try:
        result = measured(lab, "--rate-min", "10k")["results"][0]
    finally:
        lab.run("router", "nft delete table ip lossy")
    assert result["ndr"]["rate"] == 0, result["ndr"]
    assert result["pdr"]["rate"] > 0 and 0 < result["pdr"]["loss"] <= 0.005, result["pdr"]
    sent = sum(trial["sent"] for trial in result["trials"])
    lost = sent - sum(trial["received"] for trial in result["trials"])
    assert abs(lost - 0.003 * sent) <= 4, (sent, lost)


def a_frame_that_is_too_long_for_the_path_is_refused_with_the_mtu(lab):
    lab.run("router", "ip link set out mtu 1000")
    status, output = bench(lab, *QUICK, "--sizes", "64,1400")
    lab.run("router", "ip link set out mtu 1500")
    assert status == 1 and "the path has an MTU of 1000, so that frames have at most 1018 bytes" in output, output
    assert any(line.split()[0] == "64" for line in output.splitlines() if line.strip()), output


def a_router_that_does_not_forward_is_told(lab):
    lab.run("router", "sysctl -qw net.ipv4.ip_forward=0")
    status, output = bench(lab, "--sizes", "64", *QUICK)
    lab.run("router", "sysctl -qw net.ipv4.ip_forward=1")
    assert status == 1 and "0 of 1 streams from port a come through to port b" in output, output


def a_gateway_that_is_not_there_is_told(lab):
    joined = [word.replace("10.1.0.1", "10.1.0.99") if word == "10.1.0.1" else word for word in lab.joined]
    status, output = bench(lab, *QUICK, joined=joined)
    assert status == 1 and "no ARP answer from 10.1.0.99 on port a (af_packet:rig-a" in output, output


def ports_and_options_that_are_wrong_are_told(lab):
    for old, new, status, words in (("af_packet:rig-a", "af_packet:nowhere", 1, "--port-a: port a (af_packet:nowhere"),
                                    ("af_packet:rig-b", "carrier_pigeon:1", 2, '--port-b: device "carrier_pigeon:1": unknown kind'),
                                    ("10.1.0.10/24", "10.1.0.10", 2, '--address-a is "10.1.0.10" but must be an IPv4 address with the length'),
                                    ("10.2.0.1", "10.9.0.1", 2, '--gateway-b is "10.9.0.1" but must be another address of the network')):
        got, output = bench(lab, *QUICK, joined=[new if word == old else word for word in lab.joined])
        assert got == status and words in output, output
    for option, value, words in (("--sizes", "63", '--sizes has "63" but a frame has 64 to 9216 bytes'), ("--pace", "1", "unrecognised option"),
                                 ("--rate-max", "fast", '--rate-max is "fast" but must be packets/s')):
        got, output = bench(lab, option, value)
        assert got == 2 and words in output, output


def the_rig_measures_itself_over_a_cable(lab):
    report = measured(lab, size=1518, joined=["--port-a", "ring:cable", "--port-b", "ring:cable", "--address-a", "10.0.0.1/24", "--address-b", "10.0.0.2/24"])
    check_result(report["results"][0])
