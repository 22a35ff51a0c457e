#!/usr/bin/env python3
"""A load of routes by FRR's BGP: how long they take into the packet path of a hub, what they cost, and how long a single one takes beside them."""

import argparse
import json
import os
import re
import socket
import statistics
import struct
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "namespaces"))
from frr import TABLE  # noqa: E402
from lab import Lab, wait_until  # noqa: E402
from route_walk import Walker, first_host, inject, kernel_routes, prefix, socket_in, start_frr  # noqa: E402

RTMGRP_IPV4_ROUTE, RTM_NEWROUTE, RTM_DELROUTE, RTPROT_BGP, SO_RCVBUFFORCE = 0x40, 24, 25, 186, 33


class KernelWatch:
    """When the kernel of a gateway told of routes by BGP, by netlink, as its routing daemon made them."""

    def __init__(self, lab, name):
        self.socket = socket_in(lab, name, socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.socket.bind((0, RTMGRP_IPV4_ROUTE))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 128 << 20)
        self.times = []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            datagram, now = self.socket.recv(1 << 16), time.monotonic()
            while len(datagram) >= 28:
                length, kind = struct.unpack("=IH", datagram[:6])
                if kind in (RTM_NEWROUTE, RTM_DELROUTE) and datagram[21] == RTPROT_BGP:
                    self.times.append(now)
                datagram = datagram[(length + 3) & ~3:]


def changed(lab):
    """How many changes of routes the hub's packet path has made; and when that was."""
    count = lab.counters("hub")["routes-changed"]
    return count, time.monotonic()


def resident(lab):
    status = Path(f"/proc/{lab.gateways['hub'].pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1])


def load(lab, watch, numbers, change):
    """All routes at once; seconds of the kernel's table and of the packet path since the first change, and what it took."""
    before, cpu, memory = changed(lab)[0], lab.cpu_seconds("hub"), resident(lab)
    watch.times.clear()
    change()
    assert wait_until(lambda: len(watch.times) >= len(numbers), 60, 0.01), f"the kernel told of {len(watch.times)} of {len(numbers)} routes"
    while True:
        count, when = changed(lab)
        if count - before >= len(numbers):
            break
        assert when - watch.times[-1] < 30, f"{count - before} of {len(numbers)} changes reached the packet path"
    first, last = watch.times[0], watch.times[len(numbers) - 1]
    return {"kernel seconds": last - first, "packet path seconds": when - first, "packet path behind kernel": max(0, when - last),
            "processor seconds": lab.cpu_seconds("hub") - cpu, "memory KiB": resident(lab) - memory}


def single(lab, watch, walker, number):
    """Seconds from the kernel's word of one more route until the first packet, of one in each millisecond, takes it."""
    address, got, stop = first_host(prefix(number)), [], threading.Event()

    def send():
        while not stop.is_set():
            walker.send(address)
            time.sleep(0.001)

    def listen():
        for heard, _ in walker.heard(5):
            if heard == address:
                got.append(time.monotonic())
                return

    threads = [threading.Thread(target=each) for each in (send, listen)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    watch.times.clear()
    inject(lab, {"spoke1": [number]})
    threads[1].join()
    stop.set()
    threads[0].join()
    list(walker.heard(0.1))
    assert got, "no packet took the route"
    return max(0, got[0] - watch.times[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--routes", type=int, default=20000)
    parser.add_argument("--singles", type=int, default=20, help="routes whose latency is measured, one by one")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    numbers = range(options.routes)
    with Lab(f"navet{os.getpid()}") as lab:
        lab.start_all(table=TABLE)
        start_frr(lab, ("hub", "spoke1"))
        assert wait_until(lambda: "i172.16.11.0/24" in lab.frr["hub"].show("ip bgp"), 30, 0.3), lab.frr["hub"].evidence()
        watch, walker = KernelWatch(lab, "hub"), Walker(lab, "host0", "host1")
        results = {"add": load(lab, watch, numbers, lambda: inject(lab, {"spoke1": numbers}))}
        wanted = {first_host(each): "host1" for each in kernel_routes(lab, "hub", TABLE) if each.startswith("20.")}
        found = walker.walk(wanted)
        results["walk"] = {"kernel routes": len(wanted), "led a packet there": sum(found.get(each) == host for each, host in wanted.items())}
        latencies = [single(lab, watch, walker, options.routes + number) for number in range(options.singles)]
        results["single"] = {"median ms": 1000 * statistics.median(latencies), "9 in 10 ms": 1000 * statistics.quantiles(latencies, n=10)[-1],
                             "highest ms": 1000 * max(latencies)}
        results["remove"] = load(lab, watch, numbers, lambda: lab.frr["spoke1"].configure("router bgp 65000", "neighbor 10.255.0.1 shutdown"))
    for what, figures in results.items():
        print(f"{what:8}", "  ".join(f"{name} {value:.3f}" if isinstance(value, float) else f"{name} {value}" for name, value in figures.items()))
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=1), encoding="utf-8")
    sys.exit(0 if found == wanted else 1)


if __name__ == "__main__":
    main()
