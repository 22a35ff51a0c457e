"""Two hubs and four spokes in one cloud: one hub is killed under 1,000 pings a second and comes back.

spoke1 and spoke2 take shortcuts, spoke3 and spoke4 stay on the hubs; spoke4 knows the hubs by name only.
"""

import json
import re
import signal
import sys
import time
from pathlib import Path

import hubs_network
from hubs_network import HUBS, SPOKES
from lab import PSK, wait_until

# 5 s of silence, 1.5 s until a request was repeated twice, 1 s between two looks at the counters; a second for this machine.
LIVENESS_SECONDS = 7.5 + 1
RATE = 1000  # pings a second
PINGS = Path(__file__).with_name("pings.py")


def configuration(lab, name):
    """Of a hub or a spoke by its name."""
    number = {"hub": 1, "hub2": 2}.get(name) or 10 + int(name[-1])
    block = hubs_network.block_of(name)
    ports = {"wan": {"device": "af_packet:eth0", "address": f"{block}.1/24", "gateway": f"{block}.254"}}
    tunnel = {"underlay": "wan", "address": f"10.255.0.{number}/24", "key": 42, "identity": f"{name}.example", "psk": f'[{{ identity = "*.example", key = "{PSK}" }}]'}
    if name in HUBS:
        tunnel |= {"access": '[{ identity = "*.example", prefixes = ["172.16.0.0/16"] }]'}
    else:
        ports["lan"] = {"device": "af_packet:lan0", "address": f"172.16.{number}.1/24", "tunnel": "nave0"}
        addresses = {hub: f"{hub}.example" if name == "spoke4" else f"{HUBS[hub]}.1" for hub in HUBS}
        hubs = [f'{{ address = "{address}", identity = "{hub}.example", priority = {priority} }}' for priority, (hub, address) in enumerate(addresses.items(), 1)]
        tunnel |= {"hub": f"[{', '.join(hubs)}]", "routes": '["172.16.0.0/16"]', "hub_return": "5s", "shortcut": name in ("spoke1", "spoke2")}
    return lab.render(name, ports, tunnel)


def setup(lab):
    hubs_network.build(lab)
    records = [f"--host-record={hub}.example,{block}.1" for hub, block in HUBS.items()]
    lab.start("wan", ["dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", "--interface=w-spoke4", "--bind-interfaces", "--user=root", *records], "dnsmasq.log")
    resolver = Path("/etc/netns") / lab.full("spoke4") / "resolv.conf"
    resolver.parent.mkdir(parents=True)
    resolver.write_text("nameserver 198.18.14.254\n")
    for name in (*HUBS, *(f"spoke{each}" for each in SPOKES)):
        lab.gateway(name, configuration(lab, name))
    if not wait_until(lambda: all(lab.registered(hub, [f"spoke{each}.example" for each in SPOKES]) for hub in HUBS), 30, 0.2):
        raise RuntimeError("the spokes did not register:\n" + "\n".join(f"--- {name}\n{lab.log(name)[-2500:]}" for name in lab.gateways))


class Flow:
    """Pings at a rate from one host to another, until stop() says what became of them."""

    def __init__(self, lab, source, target, rate=RATE):
        self.wanted, self.file = rate, lab.directory / f"flow-{source}-{time.monotonic_ns()}.log"
        self.pings = lab.start(f"host{source}", [sys.executable, str(PINGS), f"172.16.1{target}.10", str(rate)], self.file.name)

    def stop(self):
        self.pings.send_signal(signal.SIGINT)
        self.pings.wait(timeout=10)
        result = json.loads(self.file.read_text())
        self.sent, self.lost, self.rate, self.late, self.silence = (result[key] for key in ("sent", "lost", "rate", "late", "silence"))
        assert abs(self.rate - self.wanted) < 0.01 * self.wanted, str(self)
        return self

    def __str__(self):
        return f"{self.sent} sent, {self.rate:.1f}/s, none more than {self.late * 1000:.0f} ms late, {self.lost} lost, longest silence {self.silence:.2f} s"


def way(lab, spoke):
    """The hub that carries what a spoke sends to its hubs."""
    row = next(row for row in lab.ctl(spoke, "show", "routes") if row["prefix"] == "172.16.0.0/16")
    return re.sub(r".*\((.*)\.example\)", r"\1", row["via"])


def the_hub_of_the_lowest_priority_carries_the_traffic(lab):
    assert wait_until(lambda: {way(lab, f"spoke{each}") for each in SPOKES} == {"hub"}, 10), {each: way(lab, f"spoke{each}") for each in SPOKES}
    assert "hub hub.example is at 192.0.2.1" in lab.log("spoke4")


def a_killed_hub_costs_relayed_traffic_the_liveness_time_and_a_shortcut_nothing(lab):
    def is_direct():
        lab.ping("host1", "172.16.12.10", count=2)
        return lab.direct("spoke1", "spoke2.example") and lab.direct("spoke2", "spoke1.example")
    assert wait_until(is_direct, 15), lab.log("spoke1")[-2000:]
    relayed, direct = Flow(lab, 3, 4), Flow(lab, 1, 2)
    time.sleep(2)
    lab.kill("hub")
    time.sleep(11)
    relayed.stop(), direct.stop()
    print(f"     relayed: {relayed}; shortcut: {direct}")
    assert relayed.silence <= LIVENESS_SECONDS and relayed.lost <= LIVENESS_SECONDS * RATE, str(relayed)
    assert direct.lost == 0, str(direct)
    assert way(lab, "spoke3") == way(lab, "spoke4") == "hub2"


def the_hub_that_comes_back_is_taken_back_without_loss(lab):
    relayed, direct = Flow(lab, 3, 4), Flow(lab, 1, 2)
    lab.gateway("hub", configuration(lab, "hub"))
    is_back = wait_until(lambda: way(lab, "spoke3") == way(lab, "spoke4") == "hub", 30, 0.2)
    time.sleep(1)
    relayed.stop(), direct.stop()
    print(f"     relayed: {relayed}; shortcut: {direct}")
    assert is_back, lab.log("spoke3")[-3000:]
    assert relayed.lost == 0 and direct.lost == 0, f"{relayed}; {direct}"
