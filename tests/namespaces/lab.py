"""A DMVPN in network namespaces: hub, a spoke behind a real NAT, a spoke with a DHCP address, and a host behind each.

          host0 -- hub ------.
                              wan (router, DHCP server)
 host1 -- spoke1 -- nat -----'  \\
                                 `-- spoke2 -- host2
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("NAVE_BUILD", ROOT / "build"))
PSK = "lab-only-secret-of-the-demo"


def wait_until(condition, seconds, pause=0.1):
    """The condition's first true value, or its last value when the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(pause)


def remove_namespace(name):
    """Removes a namespace with its links, and ends what still runs in it."""
    for process in subprocess.run(["ip", "netns", "pids", name], capture_output=True, check=False).stdout.split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(process), signal.SIGTERM)
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    shutil.rmtree(Path("/etc/netns") / name, ignore_errors=True)


def take_down_orphans(kind):
    """Takes down what labs left whose process was killed: the names of a lab's things begin with its kind and its process id."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, check=False).stdout.decode().splitlines()
    namespaces = [line.split()[0] for line in listed if line]
    directories = list(Path(tempfile.gettempdir()).glob(f"{kind}*-*"))
    orphaned = lambda name: (match := re.match(rf"{kind}(\d+)-", name)) and not Path(f"/proc/{match[1]}").exists()
    for name in filter(orphaned, namespaces):
        remove_namespace(name)
    for directory in directories:
        if orphaned(directory.name):
            shutil.rmtree(directory, ignore_errors=True)


class Ping:
    """What ping printed: sent, received, the TTLs seen in order."""

    def __init__(self, output):
        counts = re.search(r"(\d+) packets transmitted, (\d+) received", output)
        self.sent, self.received = (int(counts[1]), int(counts[2])) if counts else (0, 0)
        self.ttls = [int(ttl) for ttl in re.findall(r"ttl=(\d+)", output)]
        times = re.search(r"rtt min/avg/max/mdev = ([\d.]+)/([\d.]+)", output)
        self.average_ms = float(times[2]) if times else None
        self.output = output


class Mix:
    """What things are called with one IP version inside the tunnel and one on the underlay; the gateways' blocks are 1 (hub), 11 and 12."""

    def __init__(self, inside=4, outside=4):
        self.inside, self.outside = inside, outside
        self.title = f"ipv{inside} over ipv{outside}"

    def _inside(self, v4, v6):
        return v4 if self.inside == 4 else v6

    def host(self, block):
        return self._inside(f"172.16.{block}.10", f"fd00:16:{block}::10")

    def lan(self, block):
        return self._inside(f"172.16.{block}.1/24", f"fd00:16:{block}::1/64")

    def tunnel(self, block):
        return self._inside(f"10.255.0.{block}/24", f"fd00:255::{block}/64")

    def networks(self):
        """All tunnel addresses, and all that lies behind gateways."""
        return self._inside(("10.255.0.0/24", "172.16.0.0/16"), ("fd00:255::/64", "fd00:16::/32"))

    def hub(self):
        return "192.0.2.1" if self.outside == 4 else "2001:db8:1::1"


class Lab:
    """Namespaces, links and processes that it made itself; close() takes all of them down again, whatever happened."""

    def __init__(self, prefix):
        self.prefix = prefix
        self.directory = Path(tempfile.mkdtemp(prefix=f"{prefix}-"))
        self.namespaces, self.processes, self.gateways = [], [], {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        # Whoever is impatient must not leave half of it standing.
        before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
        for process in reversed(self.processes):
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for name in self.namespaces:
            remove_namespace(name)
        self.namespaces, self.processes = [], []
        shutil.rmtree(self.directory, ignore_errors=True)
        for number, handler in before.items():
            signal.signal(number, handler)

    # -- namespaces, links, commands

    def full(self, name):
        return f"{self.prefix}-{name}"

    def namespace(self, name):
        self.namespaces.append(self.full(name))  # first, as a signal may come in between
        subprocess.run(["ip", "netns", "add", self.full(name)], check=True)
        self.run(name, "ip link set lo up")
        for family in ("all", "default"):
            self.run(name, f"sysctl -qw net.ipv6.conf.{family}.disable_ipv6=1", check=False)

    def run(self, name, command, check=True, timeout=60):
        """Runs a command in a namespace and gives its output."""
        words = command if isinstance(command, list) else command.split()
        done = subprocess.run(["ip", "netns", "exec", self.full(name), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                              check=False)
        output = done.stdout.decode(errors="replace")
        if check and done.returncode:
            raise RuntimeError(f"{command!r} in {name} failed with {done.returncode}: {output}")
        return output

    def start(self, name, command, log):
        """Starts a command in a namespace, its output into a file of the lab's folder; close() ends it."""
        words = command if isinstance(command, list) else command.split()
        with open(self.directory / log, "ab") as output:
            process = subprocess.Popen(["ip", "netns", "exec", self.full(name), *words], stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self.processes.append(process)
        return process

    def link(self, a, a_interface, b, b_interface):
        """A veth pair. Segmentation offload is off, as frames of 64 KiB are not what a wire carries."""
        subprocess.run(["ip", "link", "add", a_interface, "netns", self.full(a), "type", "veth", "peer", "name", b_interface, "netns", self.full(b)],
                       check=True)
        for name, interface in ((a, a_interface), (b, b_interface)):
            self.run(name, f"ethtool -K {interface} tso off gso off gro off", check=False)
            self.run(name, f"ip link set {interface} up")

    def ping(self, name, target, count=5, interval=0.2, options=""):
        return Ping(self.run(name, f"ping -n -c {count} -i {interval} -W 1 {options} {target}", check=False, timeout=count * (interval + 1.2) + 10))

    def echoes_tcp(self, client, server, address, size=1000000):
        """Sends so many bytes from one host to the other, which holds that address, and back, and fails unless they come unchanged."""
        family = "socket.AF_INET6" if ":" in address else "socket.AF_INET"
        answer = (f"import socket;s=socket.create_server(('{address}', 7000), family={family});print('ready', flush=True);c,_=s.accept();n=0\n"
                  f"while n < {size}:\n d=c.recv(65536); n+=len(d); c.sendall(d)")
        ask = (f"import socket,os,threading;s=socket.create_connection(('{address}', 7000),5);out=os.urandom({size});got=b''\n"
               "threading.Thread(target=s.sendall,args=(out,)).start()\n"
               f"while len(got) < {size}: got+=s.recv(65536)\n"
               "print('same' if got == out else 'different')")
        log = f"echo-{server}-{client}"
        (self.directory / f"{log}.log").unlink(missing_ok=True)
        self.start(server, ["python3", "-c", answer], f"{log}.log")
        assert wait_until(lambda: "ready" in self.log(log), 5), self.log(log)
        said = self.run(client, ["timeout", "30", "python3", "-c", ask], check=False).strip()
        assert said == "same", (said[-500:], self.log(log))

    # -- the DMVPN's underlay and hosts

    def underlay(self):
        for name in ("wan", "hub", "nat", "spoke1", "spoke2", "host0", "host1", "host2"):
            self.namespace(name)
        self.link("hub", "eth0", "wan", "w-hub")
        self.link("nat", "out", "wan", "w-nat")
        self.link("spoke2", "eth0", "wan", "w-spoke2")
        self.link("spoke1", "eth0", "nat", "in")
        for number, gateway in enumerate(("hub", "spoke1", "spoke2")):
            self.link(f"host{number}", "eth0", gateway, "lan0")
            block = 1 if number == 0 else 10 + number
            self.run(f"host{number}", f"ip addr add 172.16.{block}.10/24 dev eth0")
            self.run(f"host{number}", f"ip route add default via 172.16.{block}.1")
        for interface, address in (("w-hub", "192.0.2.254"), ("w-nat", "198.51.100.254"), ("w-spoke2", "203.0.113.254")):
            self.run("wan", f"ip addr add {address}/24 dev {interface}")
        self.run("nat", "ip addr add 198.51.100.2/24 dev out")
        self.run("nat", "ip addr add 192.168.1.1/24 dev in")
        self.run("nat", "ip route add default via 198.51.100.254")
        for name in ("wan", "nat"):
            self.run(name, "sysctl -qw net.ipv4.ip_forward=1")
        self.run("nat", ["nft", "add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; }; "
                                "add rule ip nat post oifname out masquerade"])
        self.run("wan", ["nft", "add table ip wire; add chain ip wire seen { type filter hook forward priority 0; }; "
                                'add rule ip wire seen ip protocol gre counter comment "clear_gre"; '
                                'add rule ip wire seen ip saddr { 172.16.0.0/12, 10.255.0.0/16 } counter comment "clear_inner"; '
                                'add rule ip wire seen ip daddr { 172.16.0.0/12, 10.255.0.0/16 } counter comment "clear_inner"; '
                                'add rule ip wire seen udp dport 500 counter comment "ike"; '
                                'add rule ip wire seen ip protocol esp counter comment "esp"; '
                                'add rule ip wire seen udp dport 4500 counter comment "esp_in_udp"; '
                                'add rule ip wire seen udp sport 4500 counter comment "esp_in_udp"'])

    def wire(self, family="ip"):
        """Packets that the wide area's router forwarded, by kind."""
        rules = json.loads(self.run("wan", f"nft -j list table {family} wire"))["nftables"]
        seen = {}
        for entry in rules:
            rule = entry.get("rule")
            if rule:
                count = next(part["counter"]["packets"] for part in rule["expr"] if "counter" in part)
                seen[rule["comment"]] = seen.get(rule["comment"], 0) + count
        return seen

    def dhcp_server(self, first, last):
        """dnsmasq gives leases out of 203.0.113.0/24; no DNS is offered, so that no client touches the system's resolver."""
        leases = self.directory / "leases"
        leases.unlink(missing_ok=True)
        return self.start("wan", ["dnsmasq", "--no-daemon", "--port=0", "--interface=w-spoke2", "--bind-interfaces", f"--dhcp-range={first},{last},2m",
                                  "--dhcp-option=option:router,203.0.113.254", "--dhcp-option=option:dns-server", f"--dhcp-leasefile={leases}",
                                  "--dhcp-authoritative", "--user=root", "--no-ping", "--log-dhcp"], "dnsmasq.log")

    def dhcp_client(self, name, interface):
        state = self.directory / f"dhclient-{name}"
        return self.start(name, ["dhclient", "-d", "-4", "-pf", f"{state}.pid", "-lf", f"{state}.leases", interface], f"dhclient-{name}.log")

    # -- gateways

    def configuration(self, name, **changes):
        """The configuration of one of the three gateways as text; `changes` replaces values of its tunnel (None leaves one out), and the number of its workers.

        `mix` are its IP versions, `wan` keys of its underlay port."""
        workers, mix, wan = changes.pop("workers", 1), changes.pop("mix", Mix()), changes.pop("wan", {})
        number = {"hub": 0, "spoke1": 1, "spoke2": 2}[name]
        block = 1 if number == 0 else 10 + number
        tunnel = {"underlay": "wan", "address": mix.tunnel(block), "key": 42, "identity": f"{name}.example",
                  "psk": f'[{{ identity = "*.example", key = "{PSK}" }}]'}
        ports = {"wan": {"device": "af_packet:eth0"}, "lan": {"device": "af_packet:lan0", "address": mix.lan(block), "tunnel": "nave0"}}
        if name == "hub":
            ports["wan"] |= {"address": "192.0.2.1/24", "gateway": "192.0.2.254"}
        else:
            tunnel |= {"hub": f'[{{ address = "{mix.hub()}", identity = "hub.example" }}]', "routes": f'["{mix.networks()[1]}"]'}
        held = 'tunnel_addresses = ["{}"], prefixes = ["{}"]'.format(*mix.networks())
        tunnel["access"] = f'[{{ identity = "hub.example", hub = true, {held} }}, {{ identity = "*.example", {held} }}]'
        if name == "spoke1":
            ports["wan"] |= {"address": "192.168.1.2/24", "gateway": "192.168.1.1"}
        ports["wan"] |= wan
        return self.render(name, ports, tunnel | changes, workers)

    def render(self, name, ports, tunnel, workers=1):
        """A configuration as text: of ports by name and one tunnel, as their keys' values (None leaves one out)."""
        raw = ("psk", "hub", "routes", "access")
        lines = [f'name = "{name}"', "[control]", f'socket = "{self.directory}/{name}.sock"', "[dataplane]", 'mode = "adaptive"', 'hugepages = "off"', f"workers = {workers}"]
        for section, values in [*((f"port.{port}", keys) for port, keys in ports.items()), ("tunnel.nave0", tunnel)]:
            lines.append(f"[{section}]")
            for key, value in ((key, value) for key, value in values.items() if value is not None):
                text = value if isinstance(value, int) or key in raw or str(value).startswith("[") else f'"{value}"'
                lines.append(f"{key} = {str(text).lower() if isinstance(text, bool) else text}")
        return "\n".join(lines) + "\n"

    def gateway(self, name, text=None, **changes):
        """Starts naved in the namespace of that name; the log goes to NAME.log in the lab's folder."""
        file = self.directory / f"{name}.toml"
        file.write_text(text or self.configuration(name, **changes))
        file.chmod(0o600)
        process = self.start(name, [str(BUILD / "naved"), "--config", str(file)], f"{name}.log")
        self.gateways[name] = process
        return process

    def log(self, name):
        return (self.directory / f"{name}.log").read_text(errors="replace")

    def kill(self, name):
        """Kill -9 of a gateway: no farewell, no clean-up."""
        self.gateways[name].send_signal(signal.SIGKILL)
        self.gateways[name].wait()

    def stop(self, name, seconds=10):
        """A polite end; gives the exit status."""
        self.gateways[name].terminate()
        return self.gateways[name].wait(timeout=seconds)

    def ctl(self, name, *words):
        """navectl's answer as data; nothing while the gateway does not answer."""
        done = subprocess.run([BUILD / "navectl", "--socket", self.directory / f"{name}.sock", *words, *(["--json"] if words[0] == "show" else [])],
                              capture_output=True, check=False, timeout=20)
        if done.returncode:
            return None
        return json.loads(done.stdout) if words[0] == "show" else done.stdout.decode()

    def peers(self, name):
        """The rows of `show peers` by identity."""
        return {row["identity"]: row for row in self.ctl(name, "show", "peers") or []}

    def drops(self, name):
        """The counted drops of a gateway by name."""
        rows = self.ctl(name, "show", "drops") or []
        return {row["reason"]: row["packets"] for row in rows}

    def counters(self, name):
        return {row["name"]: row["value"] for row in self.ctl(name, "show", "counters") or []}

    def registered(self, hub="hub", spokes=("spoke1.example", "spoke2.example")):
        """True when the hub holds a tunnel address and a prefix of each spoke."""
        rows = self.peers(hub)
        return all(rows.get(spoke, {}).get("tunnel_addresses") and rows[spoke].get("prefixes") for spoke in spokes)

    def direct(self, gateway, identity):
        return self.peers(gateway).get(identity, {}).get("path") == "direct"

    def start_all(self, each=None, **changes):
        """Underlay, DHCP and three gateways, `each` with its own changes by name; returns once both spokes are registered, or raises with the logs' ends."""
        self.underlay()
        self.dhcp_server("203.0.113.150", "203.0.113.159")
        for name in ("hub", "spoke1", "spoke2"):
            self.gateway(name, **changes, **(each or {}).get(name, {}))
        wait_until(lambda: "wan" in self.run("spoke2", "ip -br link", check=False), 10)
        self.dhcp_client("spoke2", "wan")
        if not wait_until(self.registered, 20, 0.2):
            raise RuntimeError("the spokes did not register:\n" + "\n".join(f"--- {name}\n{self.log(name)[-2500:]}" for name in self.gateways))

    def shortcut(self, seconds=10):
        """Sends traffic between the spokes' hosts until both go direct; gives whether they do."""
        def both_direct():
            self.ping("host1", "172.16.12.10", count=2)
            return self.direct("spoke1", "spoke2.example") and self.direct("spoke2", "spoke1.example")
        return wait_until(both_direct, seconds)

    def cpu_seconds(self, name):
        """Processor time that a gateway has used so far; `ip netns exec` replaces itself, so the pid is naved's."""
        fields = Path(f"/proc/{self.gateways[name].pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def idle_cpu_percent(self, seconds):
        """Per gateway the share of one core over that time, with no traffic of ours."""
        before = {name: self.cpu_seconds(name) for name in self.gateways}
        started = time.monotonic()
        time.sleep(seconds)
        elapsed = time.monotonic() - started
        return {name: round(100 * (self.cpu_seconds(name) - used) / elapsed, 2) for name, used in before.items()}
