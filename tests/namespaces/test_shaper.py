"""A hub with a branch on a 20 Mbit/s line beside one on a fast line: what each gets, and who is spared. The subject of its certificate says which line
a branch has, until it names a group."""

import json
import re
import subprocess
import time

from authority import Authority
from lab import Ping, wait_until

RATE_TO, RATE_FROM, GROUP_RATE_TO = 20_000_000, 10_000_000, 5_000_000
UNITS = {"hub": "Hubs", "spoke1": "Small", "spoke2": "Large"}
SECONDS = 6  # of measuring; the flood lasts longer
ACCESS = """[{ identity = "*.example", nhrp_group = "kiosk", rate_to = "5Mbit" }, { identity = "O=Example, OU=Small, CN=*", rate_to = "20Mbit", rate_from = "10Mbit" },
              { identity = "*.example", tunnel_addresses = ["10.255.0.0/24"], prefixes = ["172.16.0.0/16"] }]"""


def setup(lab):
    lab.authority = Authority(lab.directory / "authority")
    for name, unit in UNITS.items():
        lab.authority.issue(f"{name}.example", unit=unit)
    certificates = {name: lab.authority.tunnel(f"{name}.example") for name in UNITS}
    certificates["hub"]["access"] = ACCESS
    lab.start_all(each=certificates)
    # A rate is as exact as a worker gets its core: other tests on this machine must not take it.
    for gateway in lab.gateways.values():
        subprocess.run(["chrt", "--all-tasks", "--fifo", "--pid", "1", str(gateway.pid)], check=False, capture_output=True)


def wire_bytes(lab, interface):
    """IP bytes that the wide area's router sent towards a spoke: what its line has to carry."""
    counted = json.loads(lab.run("wan", f"ip -j -s link show dev {interface}"))[0]["stats64"]["tx"]
    return counted["bytes"] - 14 * counted["packets"]


def wire_rate(lab, interface, seconds):
    """Bits a second of the same, over that time."""
    before, began = wire_bytes(lab, interface), time.monotonic()
    time.sleep(seconds)
    return 8 * (wire_bytes(lab, interface) - before) / (time.monotonic() - began)


def socket_losses(lab, host):
    """Datagrams that the host's own socket had no room for: its processor was late."""
    return int(re.search(r"UdpRcvbufErrors\s+(\d+)", lab.run(host, "nstat -az UdpRcvbufErrors"))[1])


def flood(lab, source, target, host, mbit, seconds, log):
    """UDP between hosts; the server's own report goes to the log of that name once it is over."""
    lab.start(host, "iperf3 -s -1 -J", f"{log}.log")
    assert wait_until(lambda: "LISTEN" in lab.run(host, "ss -ltn sport = :5201"), 5), lab.log(log)
    return lab.start(source, f"iperf3 -c {target} -u -b {mbit}M -l 1200 -t {seconds}", f"{log}-client.log")


def received(lab, log):
    """The sum of a server's report."""
    wait_until(lambda: lab.log(log).rstrip().endswith("}"), 10)
    return json.loads(lab.log(log))["end"]["sum"]


def a_limited_branch_gets_its_rate_and_voice_gets_through_while_another_branch_loses_nothing(lab):
    limited = flood(lab, "host0", "172.16.11.10", "host1", 40, SECONDS + 4, "limited")
    other = flood(lab, "host0", "172.16.12.10", "host2", 80, SECONDS + 2, "other")
    calls = lab.start("host0", f"ping -n -q -c {100 * SECONDS} -i 0.01 -W 1 -Q 0xb8 -s 172 172.16.11.10", "voice.log")
    time.sleep(0.5)
    bits = wire_rate(lab, "w-nat", SECONDS)
    assert limited.poll() is None and other.poll() is None, "measured longer than the flood lasted"
    for process in (calls, other, limited):
        process.wait(timeout=10)
    voice = Ping(lab.log("voice"))
    peer, unlimited = lab.peers("hub")["spoke1.example"], lab.peers("hub")["spoke2.example"]
    result = received(lab, "other")
    lost = result["lost_packets"] - socket_losses(lab, "host2")
    print(f"limited: {bits / 1e6:.2f} Mbit/s on the wire of {RATE_TO / 1e6:.0f}; other: {result['packets']} packets, {lost} lost; "
          f"voice: {voice.received} of {voice.sent}, {voice.average_ms} ms; drops {peer['shaper_drops']}", flush=True)
    assert abs(bits - RATE_TO) < 0.03 * RATE_TO, bits
    assert voice.received == voice.sent == 100 * SECONDS, voice.output[-300:]
    assert peer["shaper_drops"]["priority"] == 0 and peer["shaper_drops"]["best_effort"] > 1000, peer
    assert lost == 0 and result["packets"] > 8000 * SECONDS, result
    assert unlimited["rate_to"] is None and not any(unlimited["shaper_drops"].values()), unlimited


def an_operator_sees_the_rate_and_what_it_costs(lab):
    peer = lab.peers("hub")["spoke1.example"]
    assert (peer["rate_to"], peer["rate_from"]) == (RATE_TO, RATE_FROM), peer
    cut = lab.drops("hub")["shaper-best-effort"]
    assert wait_until(lambda: lab.peers("hub")["spoke1.example"]["shaper_drops"]["best_effort"] == cut, 5), (cut, peer)
    assert peer["shaped_bytes"] > RATE_TO / 8 * SECONDS, peer


def a_branch_that_sends_more_than_it_may_is_cut_down_to_it(lab):
    flood(lab, "host1", "172.16.1.10", "host0", 20, 3, "policed").wait(timeout=15)
    result = received(lab, "policed")
    policed = lab.drops("hub")["peer-policed"]
    share = (result["packets"] - result["lost_packets"]) / result["packets"]
    # 1200 bytes of payload make 1298 on the wire; the burst adds 100 ms of the rate to 3 s.
    wanted = RATE_FROM / (20_000_000 * 1298 / 1200) * 3.1 / 3
    print(f"policed: {share:.3f} of 20 Mbit/s came through, {wanted:.3f} wanted; {policed} dropped", flush=True)
    assert abs(share - wanted) < 0.05 * wanted, (share, result)
    assert abs(policed - result["lost_packets"]) < 20, (policed, result)
    assert re.search(r"peer spoke1.example is gone", lab.log("hub")) is None, lab.log("hub")[-2000:]


def a_branch_that_names_a_group_gets_the_rate_of_the_group(lab):
    lab.stop("spoke1")
    assert wait_until(lambda: "spoke1.example" not in lab.peers("hub"), 5), lab.peers("hub")
    lab.gateway("spoke1", nhrp_group="kiosk", **lab.authority.tunnel("spoke1.example"))
    assert wait_until(lab.registered, 10), lab.log("hub")[-2000:]
    peer = lab.peers("hub")["spoke1.example"]
    assert (peer["rate_to"], peer["rate_from"]) == (GROUP_RATE_TO, None), peer
    assert lab.ping("host0", "172.16.11.10").received == 5
    kiosk = flood(lab, "host0", "172.16.11.10", "host1", 20, 5, "kiosk")
    time.sleep(0.5)
    bits = wire_rate(lab, "w-nat", 3)
    assert kiosk.poll() is None, "measured longer than the flood lasted"
    kiosk.wait(timeout=10)
    print(f"kiosk: {bits / 1e6:.2f} Mbit/s on the wire of {GROUP_RATE_TO / 1e6:.0f}", flush=True)
    assert abs(bits - GROUP_RATE_TO) < 0.03 * GROUP_RATE_TO, bits
