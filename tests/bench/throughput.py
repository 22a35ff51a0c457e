#!/usr/bin/env python3
"""Measures a device under test with `nave-bench throughput`, all in network namespaces: a pair of naved, or a plain Linux router.

    naved:  rig-a -- lan spoke wan == GRE + ESP == wan hub lan -- rig-b
    linux:  rig-a -- in  router out -- rig-b

Options that are not of this script are nave-bench's; what it needs to know of the network, it is told.
"""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "namespaces"))
from lab import BUILD, PSK, Lab, wait_until  # noqa: E402

TITLES = {"naved": "naved spoke and hub: GRE and ESP through veth", "linux": "Linux router through veth"}


class Joined:
    """The rig's two ends: the address of each, and the device's beside it."""

    def __init__(self, a, gateway_a, b, gateway_b):
        self.options = ["--port-a", "af_packet:rig-a", "--port-b", "af_packet:rig-b", "--address-a", f"{a}/24", "--gateway-a", gateway_a,
                        "--address-b", f"{b}/24", "--gateway-b", gateway_b]


def linux_router(lab, cpus=None):
    """One namespace that forwards. `cpus`: where the kernel does it, instead of on the sender's."""
    for name in ("rig", "router"):
        lab.namespace(name)
    lab.link("rig", "rig-a", "router", "in")
    lab.link("rig", "rig-b", "router", "out")
    lab.run("router", "ip addr add 10.1.0.1/24 dev in")
    lab.run("router", "ip addr add 10.2.0.1/24 dev out")
    lab.run("router", "sysctl -qw net.ipv4.ip_forward=1")
    if cpus:
        mask = f"{sum(1 << cpu for cpu in cpus):x}"
        for interface in ("in", "out"):
            lab.run("router", ["sh", "-c", f"echo {mask} >/sys/class/net/{interface}/queues/rx-0/rps_cpus"])
    return Joined("10.1.0.10", "10.1.0.1", "10.2.0.10", "10.2.0.1")


def gateway_file(lab, name, block, address, tunnel, access):
    """The configuration of one end of the pair; `tunnel`: lines of its own."""
    return f"""name = "{name}"
[control]
socket = "{lab.directory}/{name}.sock"
[dataplane]
mode = "adaptive"
hugepages = "off"
[port.wan]
device = "af_packet:eth0"
address = "{address}/24"
[port.lan]
device = "af_packet:lan0"
address = "172.16.{block}.1/24"
tunnel = "nave0"
[tunnel.nave0]
underlay = "wan"
address = "10.255.0.{block}/24"
key = 42
identity = "{name}.example"
psk = [{{ identity = "*.example", key = "{PSK}" }}]
access = [{{ identity = "{access}.example", hub = {str(access == "hub").lower()}, tunnel_addresses = ["10.255.0.0/24"], prefixes = ["172.16.0.0/16"] }}]
{tunnel}
"""


def naved_pair(lab):
    for name in ("rig", "spoke", "hub"):
        lab.namespace(name)
    lab.link("spoke", "eth0", "hub", "eth0")
    lab.link("rig", "rig-a", "spoke", "lan0")
    lab.link("rig", "rig-b", "hub", "lan0")
    lab.gateway("hub", gateway_file(lab, "hub", 1, "192.0.2.1", "", "spoke"))
    lab.gateway("spoke", gateway_file(lab, "spoke", 11, "192.0.2.11",
                                      'hub = [{ address = "192.0.2.1", identity = "hub.example" }]\nroutes = ["172.16.0.0/16"]', "hub"))
    if not wait_until(lambda: lab.registered(spokes=("spoke.example",)), 20, 0.2):
        raise RuntimeError("the spoke did not register:\n" + "\n".join(f"--- {name}\n{lab.log(name)[-2500:]}" for name in lab.gateways))
    return Joined("172.16.11.10", "172.16.11.1", "172.16.1.10", "172.16.1.1")


def measure(lab, joined, options, prefix=()):
    """Runs nave-bench in the rig's namespace; gives its exit status."""
    command = ["ip", "netns", "exec", lab.full("rig"), *prefix, str(BUILD / "nave-bench"), "throughput", *joined.options, *options]
    return subprocess.run(command, check=False).returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="scripts/bench throughput")
    parser.add_argument("--dut", choices=sorted(TITLES), default="naved", help="the device under test; naved")
    own, options = parser.parse_known_args()
    for option, value in (("--sizes", "64,512,1400"), ("--trial-seconds", "0.5"), ("--repeat", "3"), ("--resolution", "2"), ("--trials-max", "40"), ("--title", TITLES[own.dut])):
        if option not in options:
            options += [option, value]
    # Ended early, the namespaces go all the same.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # The rig has one CPU, the device all others: each waits for nobody but itself.
    cpus = sorted(os.sched_getaffinity(0))
    rig_cpu, device_cpus = cpus[-1], cpus[:-1] or cpus
    with Lab(f"navebench{os.getpid()}") as lab:
        os.sched_setaffinity(0, device_cpus)
        joined = naved_pair(lab) if own.dut == "naved" else linux_router(lab, device_cpus if rig_cpu not in device_cpus else None)
        os.sched_setaffinity(0, cpus)
        status = measure(lab, joined, [*options, "--core", str(rig_cpu)])
        if own.dut == "naved":
            for name in lab.gateways:
                drops = ", ".join(f"{reason} {count}" for reason, count in lab.drops(name).items() if count)
                print(f"{name} dropped: {drops or 'nothing'}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
