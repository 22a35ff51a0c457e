#!/usr/bin/env python3
"""The demo: one DMVPN from nothing to a direct tunnel between two spokes, step by step; scripts/demo prepares and calls it."""

import argparse
import json
import os
import re
import signal
import sys
import time
from pathlib import Path

from lab import BUILD, Lab, take_down_orphans, wait_until

FIGURE = """
    host0 172.16.1.10 -- hub 10.255.0.1 ---- 192.0.2.0/24 ---.
                                                             |
    host1 172.16.11.10 - spoke1 10.255.0.11 - NAT - 198.51.100.0/24 - wan router, DHCP
                              :                              |
                              : shortcut                     |
    host2 172.16.12.10 - spoke2 10.255.0.12 - 203.0.113.0/24 '
"""


class Demo:
    def __init__(self, lab, prepared_seconds):
        self.lab, self.steps, self.result = lab, [], {}
        self.steps.append({"name": "install and build", "ok": True, "seconds": prepared_seconds})

    def step(self, name, action):
        """Runs one step; its action gives (held, figures). A step that raises is a step that failed."""
        print(f"-- {name} ...", flush=True)
        started = time.monotonic()
        try:
            held, figures = action()
        except Exception as problem:  # a step's failure is a row of the table, and the rest still runs
            held, figures = False, {"problem": str(problem)}
        seconds = round(time.monotonic() - started, 2)
        self.steps.append({"name": name, "ok": bool(held), "seconds": seconds, **figures})
        told = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in figures.items())
        print(f"   {'ok' if held else 'FAILED'} after {seconds} s  {told}", flush=True)

    # -- the steps

    def registration(self):
        self.lab.start_all(child_lifetime="24s")
        rows = self.lab.peers("hub")
        return True, {identity: f"{row['nbma']} nat {row['nat']}" for identity, row in rows.items()}

    def through_hub(self):
        ping = self.lab.ping("host1", "172.16.12.10", count=1)
        again = ping if ping.received else self.lab.ping("host1", "172.16.12.10", count=1)
        return again.ttls[:1] == [61], {"ttl": again.ttls, "reply_ms": again.average_ms}

    def redirect(self):
        held = wait_until(lambda: self.lab.counters("hub").get("dataplane-redirects", 0) > 0, 5)
        return held, {"indications_sent": self.lab.counters("hub").get("dataplane-redirects", 0)}

    def shortcut(self):
        held = self.lab.shortcut(12)
        return held, {"spoke1_to": self.lab.peers("spoke1").get("spoke2.example", {}).get("nbma", "nothing")}

    def direct(self):
        ping = self.lab.ping("host1", "172.16.12.10", count=10, interval=0.1)
        return ping.received == 10 and set(ping.ttls) == {62}, {"ttl": sorted(set(ping.ttls)), "received": ping.received, "average_ms": ping.average_ms}

    def throughput(self):
        self.lab.start("host2", "iperf3 -s -1", "iperf3-1.log")
        figures = {}
        for direction, option in (("there", ""), ("back", "-R")):
            if direction == "back":
                self.lab.start("host2", "iperf3 -s -1", "iperf3-2.log")
            time.sleep(0.3)
            report = json.loads(self.lab.run("host1", f"iperf3 -c 172.16.12.10 -t 3 -J {option}", check=False))
            figures[f"mbit_per_second_{direction}"] = round(report["end"]["sum_received"]["bits_per_second"] / 1e6) if "end" in report else 0
        return all(value > 10 for value in figures.values()), figures

    def rekey(self):
        spis = lambda: {row["spi"] for row in self.lab.ctl("spoke1", "show", "sas") or [] if row["direction"] == "in"}
        before = spis()
        pings = self.lab.start("host1", "ping -n -i 0.02 -c 2000 172.16.12.10", "rekey-ping.log")
        wait_until(lambda: len(spis() - before) >= 2, 25, 0.3)
        time.sleep(1.5)
        pings.send_signal(signal.SIGINT)
        pings.wait(timeout=10)
        counts = re.search(r"(\d+) packets transmitted, (\d+) received", self.lab.log("rekey-ping"))
        sent, received = int(counts[1]), int(counts[2])
        new = len(spis() - before)
        return new >= 2 and sent - received <= 1, {"new_inbound_sas": new, "pings_sent": sent, "pings_lost": sent - received}

    def hub_restart(self):
        self.lab.kill("hub")
        started = time.monotonic()
        self.lab.gateway("hub", child_lifetime="24s")
        back = wait_until(lambda: self.lab.registered() and self.lab.ping("host1", "172.16.1.10", count=1).received, 20, 0.2)
        seconds = round(time.monotonic() - started, 2)
        return back and seconds < 15, {"registered_and_forwarding_after_s": seconds}

    def address_change(self):
        before = self.lab.peers("hub")["spoke2.example"]["nbma"]
        self.lab.run("spoke2", f"dhclient -r -pf {self.lab.directory}/dhclient-spoke2.pid -lf {self.lab.directory}/dhclient-spoke2.leases wan", check=False)
        for process in self.lab.processes:
            if "dnsmasq" in " ".join(map(str, process.args)):
                process.terminate()
                process.wait()
        self.lab.dhcp_server("203.0.113.170", "203.0.113.179")
        self.lab.dhcp_client("spoke2", "wan")
        def moved():
            row = self.lab.peers("hub").get("spoke2.example", {})
            return row.get("nbma", before) != before and row.get("tunnel_addresses") and self.lab.ping("host2", "172.16.1.10", count=1).received
        held = wait_until(moved, 20, 0.2)
        return held, {"before": before, "now": self.lab.peers("hub").get("spoke2.example", {}).get("nbma")}

    def wire(self):
        seen = self.lab.wire()
        self.result["cleartext_packets"] = seen["clear_gre"] + seen["clear_inner"]
        return self.result["cleartext_packets"] == 0 and seen["esp_in_udp"] > 0, seen

    def idle(self):
        percents = self.lab.idle_cpu_percent(8)
        self.result["idle_cpu_percent"] = percents
        return max(percents.values()) < 3, {f"{name}_percent": value for name, value in percents.items()}

    def run(self):
        print(FIGURE)
        self.step("start hub and spokes, registration", self.registration)
        self.step("ping host1 to host2 through the hub", self.through_hub)
        self.step("redirect from the hub", self.redirect)
        self.step("shortcut comes up", self.shortcut)
        self.step("ping direct, one hop less", self.direct)
        self.step("throughput over the shortcut, both ways", self.throughput)
        self.step("rekey under traffic", self.rekey)
        self.step("kill -9 of the hub, restart", self.hub_restart)
        self.step("spoke2 gets another address by DHCP", self.address_change)
        self.step("idle gateways", self.idle)
        self.step("what the wire saw: IKE and ESP only", self.wire)
        return all(step["ok"] for step in self.steps)

    def table(self):
        print(f"\n{'step':44} {'ok':4} {'seconds':>8}")
        for step in self.steps:
            print(f"{step['name']:44} {'yes' if step['ok'] else 'NO':4} {step['seconds']:8.1f}")


def writable(name):
    """The file opened before anything else is done, so that a wrong name costs no minute of waiting."""
    try:
        return open(Path(os.environ.get("NAVE_CALLED_FROM", ".")) / name, "w", encoding="utf-8")
    except OSError as problem:
        raise argparse.ArgumentTypeError(f"cannot write {name}: {problem.strerror}") from problem


def main():
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="run through, print a table, leave nothing behind")
    parser.add_argument("--json", metavar="FILE", type=writable, help="write the table and the figures to FILE")
    parser.add_argument("--prepared-seconds", type=float, default=0.0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))
    take_down_orphans("nave")
    with Lab(f"nave{os.getpid()}") as lab:
        demo = Demo(lab, options.prepared_seconds)
        held = demo.run()
        demo.table()
        if options.json:
            with options.json as file:
                json.dump({"steps": demo.steps, "ok": held, "cleartext_packets": None, "idle_cpu_percent": {}, **demo.result}, file, indent=2)
        if not held:
            for name in lab.gateways:
                print(f"--- end of the log of {name}\n{lab.log(name)[-3000:]}")
        if not options.once:
            print(f"\nIt goes on running; look around, for instance:\n"
                  f"  {BUILD}/navectl --socket {lab.directory}/hub.sock show peers\n"
                  f"  ip netns exec {lab.full('host1')} ping 172.16.12.10\n"
                  f"  ip netns exec {lab.full('wan')} tcpdump -ni any\nCtrl-C takes all of it down.", flush=True)
            while True:
                time.sleep(60)
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
