"""The nave side: a gateway in namespaces of its own, started anew for every scenario with the keys that the scenario wants."""

import json
import os
import re
import signal

from lab import PSK, wait_until

MAIN_TABLE = 254


def toml(value):
    """A TOML value; tables are written inline."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml(each) for each in value) + "]"
    return json.dumps(value)


class Nave:
    """One gateway with tunnel address 10.255.0.NUMBER and LAN 172.16.NUMBER.0/24."""

    def __init__(self, lab, name, number):
        self.lab, self.name, self.number = lab, name, number
        self.nbma, self.log_start = "", 0
        lab.nave_site(name, number)

    def configuration(self, nbma, gateway, hub, tunnel, ike, control):
        keys = {"underlay": "wan", "address": f"10.255.0.{self.number}/24", "key": 42, "identity": "nave.example", "psk": [{"identity": "*", "key": PSK}],
                "access": [{"identity": "*", "tunnel_addresses": ["10.255.0.0/24"], "prefixes": ["172.16.0.0/16"]}]}
        if hub:
            keys |= {"hub": [hub], "routes": ["172.16.0.0/16"]}
        keys |= tunnel
        ports = {"wan": {"device": "af_packet:eth0", "address": f"{nbma}/24", **({"gateway": gateway} if gateway else {})},
                 "lan": {"device": "af_packet:lan0", "address": f"172.16.{self.number}.1/24", "tunnel": "nave0"}}
        if keys.get("table") == MAIN_TABLE:
            ports["wan"]["table"] = 100  # each has its own
        sections = {"control": {"socket": f"{self.lab.directory}/{self.name}.sock"} | control, "dataplane": {"mode": "adaptive", "hugepages": "off"}, "ike": ike,
                    "port.wan": ports["wan"], "port.lan": ports["lan"], "tunnel.nave0": keys}
        lines = [f'name = "{self.name}"']
        for section, values in sections.items():
            lines += [f"[{section}]", *(f"{key} = {toml(value)}" for key, value in values.items() if value is not None)]
        return "\n".join(lines) + "\n"

    def put(self, name, content):
        """Writes a file beside the gateway's configuration, readable by the owner only; configuration keys may name it without a folder."""
        path = self.lab.directory / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(0o600)
        return path

    def start(self, nbma, hub=None, gateway=None, bridge="underlay0", tunnel=None, ike=None, control=None, spokes=()):
        """Ends what ran and starts naved at the underlay address `nbma`: a spoke of `hub` ({"address", "identity"}), or a hub with a kernel
        route to the LAN of each of `spokes`, as FRR registers no prefixes. `tunnel`, `ike` and `control` are keys of those sections over ours."""
        self.stop()
        self.nbma = nbma
        self.lab.plug(self.name, bridge)
        self.log_start = len(self.lab.log(self.name)) if (self.lab.directory / f"{self.name}.log").exists() else 0
        self.lab.gateway(self.name, text=self.configuration(nbma, gateway, hub, tunnel or {}, ike or {}, control or {}))
        if not wait_until(lambda: self.rows("peers") is not None, 15, 0.02):
            raise RuntimeError(f"naved did not start: {self.log()[-2000:]}")
        for number in spokes:
            self.lab.run(self.name, f"ip route add 172.16.{number}.0/24 via 10.255.0.{number} dev nave0 onlink table 1000")

    def stop(self):
        process = self.lab.gateways.get(self.name)
        if process is not None and process.poll() is None:
            process.terminate()
            if not wait_until(lambda: process.poll() is not None, 10, 0.02):
                process.kill()
                process.wait()
                raise RuntimeError(f"naved did not end: {self.log()[-2000:]}")
            if process.returncode != 0:
                raise RuntimeError(f"naved ended with {process.returncode}: {self.log()[-2000:]}")

    def kill(self):
        """Kill -9: no farewell, no clean-up."""
        os.kill(self.lab.gateways[self.name].pid, signal.SIGKILL)
        self.lab.gateways[self.name].wait()

    def evidence(self):
        """The end of its log, and what it counted, for whoever asks why something failed."""
        counted = {row["reason"]: row["packets"] for row in self.rows("drops") or [] if row["packets"]}
        events = {row["name"]: row["value"] for row in self.rows("counters") or [] if row["value"]}
        return f"{self.log()[-4000:]}drops {counted}\ncounters {events}\nESP {self.rows('sas')}"

    # -- what it says of itself

    def log(self):
        """What it logged since its last start."""
        file = self.lab.directory / f"{self.name}.log"
        return file.read_text(errors="replace")[self.log_start:] if file.exists() else ""

    def rows(self, what):
        """The rows of `navectl show WHAT`; nothing while it does not answer."""
        return self.lab.ctl(self.name, "show", what)

    def sas(self, identity):
        return [row for row in self.rows("sas") or [] if row["identity"] == identity]

    def ike(self, identity):
        return [row for row in self.rows("ike") or [] if row["identity"] == identity]

    def peer(self, identity):
        return self.lab.peers(self.name).get(identity, {})

    def counter(self, name):
        return self.lab.counters(self.name).get(name, 0)

    # -- traffic

    @property
    def host(self):
        """The address of the host behind it."""
        return f"172.16.{self.number}.10"

    def ping(self, target, count=5, interval=0.1):
        return self.lab.ping(f"host-{self.name}", target, count, interval)

    def reaches(self, target, seconds=8):
        """Whether a ping of the host behind it is answered within that time."""
        return wait_until(lambda: re.search(r"[1-9] received", self.lab.run(f"host-{self.name}", f"ping -n -c 1 -W 0.4 {target}", check=False)), seconds)
