"""User-mode-linux guests on the lab's wide area: booted once, told what to do over a channel of their own. The kernel's GRE and ESP, no code of nave's."""

import os
import select
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "namespaces"))
from lab import Lab, wait_until  # noqa: E402

HERE = Path(__file__).resolve().parent
SHELL_PORT, VICI_PORT = 2300, 2301  # of guest_init
END = "end-of-what-it-printed"

SETUP = """set -x
ip link set vec0 name eth0; ip link set vec1 name control0
ethtool -K eth0 tso off gso off gro off
ip link set eth0 up
ip addr add 10.99.0.{number}/24 dev control0; ip link set control0 up
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 net.ipv4.conf.all.send_redirects=0 \\
    net.ipv4.conf.default.send_redirects=0
ip netns add lan
ip link add lan0 type veth peer name eth0 netns lan
ip link set lan0 up; ip -n lan link set eth0 up; ip -n lan link set lo up
"""


class GuestLab(Lab):
    """A lab whose wide area is one bridge, 192.0.2.0/24, with guests as peers and nave gateways in namespaces."""

    def __init__(self, prefix):
        super().__init__(prefix)
        self.guests, self.shells = {}, {}

    def wide_area(self):
        self.namespace("wan")
        for bridge, address in (("underlay0", "192.0.2.254/24"), ("control0", "10.99.0.254/24")):
            self.bridge(bridge)
            self.run("wan", f"ip addr add {address} dev {bridge}")
        self.shim = self.directory / "regset.so"
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", self.shim, HERE / "regset.c"], check=True)

    def bridge(self, name):
        self.run("wan", f"ip link add {name} type bridge forward_delay 0 mcast_snooping 0")
        self.run("wan", f"ip link set {name} up")

    def plug(self, name, bridge="underlay0"):
        """Moves the underlay cable of a guest or nave gateway to another bridge."""
        self.run("wan", f"ip link set w-{name} master {bridge} up")

    def nave_site(self, name, number):
        """Namespaces for a nave gateway on the wide area and for a host behind it, 172.16.NUMBER.10."""
        self.namespace(name)
        self.namespace(f"host-{name}")
        self.link(name, "eth0", "wan", f"w-{name}")
        self.plug(name)
        # Guests leave UDP checksums to the device; the bridge port fills them in.
        self.run("wan", f"ethtool -K w-{name} tx off", check=False)
        self.link(f"host-{name}", "eth0", name, "lan0")
        self.run(f"host-{name}", f"ip addr add 172.16.{number}.10/24 dev eth0")
        self.run(f"host-{name}", f"ip route add default via 172.16.{number}.1")

    def nat(self, name, outside, inside):
        """A router that hides 192.168.INSIDE.0/24, on a bridge of that NAT's name, behind one address on the wide area."""
        self.namespace(name)
        self.bridge(name)
        for interface, bridge, address in (("out", "underlay0", outside), ("in", name, f"192.168.{inside}.1")):
            self.link(name, interface, "wan", f"{name}-{interface}")
            self.run("wan", f"ip link set {name}-{interface} master {bridge}")
            self.run("wan", f"ethtool -K {name}-{interface} tx off", check=False)
            self.run(name, f"ip addr add {address}/24 dev {interface}")
        self.run(name, "sysctl -qw net.ipv4.ip_forward=1")
        self.run(name, ["nft", "add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; }; "
                               "add rule ip nat post oifname out masquerade"])

    def boot(self, name, number):
        """Starts a guest with command channel 10.99.0.NUMBER; `booted` waits for it."""
        folder = self.directory / name
        folder.mkdir()
        (folder / "setup").write_text(SETUP.format(number=number))
        for kind, bridge in (("w", "underlay0"), ("c", "control0")):
            self.run("wan", f"ip tuntap add dev {kind}-{name} mode tap")
            self.run("wan", f"ip link set {kind}-{name} master {bridge} up")
        unit, memory = f"{self.prefix}-{name}", "160M"
        command = ["env", "TMPDIR=/dev/shm", f"LD_PRELOAD={self.shim}", "linux.uml", f"umid={unit}", f"mem={memory}", "root=/dev/root", "rootfstype=hostfs",
                   "rootflags=/", "ro", f"init={HERE}/guest_init", f"vec0:transport=tap,ifname=w-{name},mac=02:00:5e:00:01:{number:02x},depth=128",
                   f"vec1:transport=tap,ifname=c-{name},mac=02:00:5e:00:02:{number:02x},depth=64", "con=null", "con0=null,fd:1", "quiet",
                   f"GUEST_FOLDER={folder}"]
        self.guests[name] = (number, self.start("wan", command, f"guest-{name}.log"))

    def booted(self, name, seconds=60):
        if not wait_until(lambda: (self.directory / name / "ready").exists(), seconds):
            raise RuntimeError(f"guest {name} did not boot: {self.log(f'guest-{name}')[-1500:]}")
        # A guest opens its side of the cable with offloads that it cannot take.
        self.run("wan", f"ethtool -K w-{name} tx off tso off gso off", check=False)

    def connect(self, name, port):
        """A process whose standard input and output are a connection to a guest's port."""
        number = self.guests[name][0]
        command = ["ip", "netns", "exec", self.full("wan"), "socat", "-", f"TCP:10.99.0.{number}:{port},connect-timeout=5"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
        self.processes.append(process)
        return process

    def inside(self, name, commands, timeout=60):
        """Runs shell commands in a guest, one after another in one shell, and gives what they print. What must go on behind it is started with its
        input and output elsewhere."""
        if name not in self.shells or self.shells[name].poll() is not None:
            self.shells[name] = self.connect(name, SHELL_PORT)
        shell, output = self.shells[name], b""
        shell.stdin.write(commands.encode() + f"\necho; echo {END}\n".encode())
        deadline = time.monotonic() + timeout
        while not output.endswith(f"\n{END}\n".encode()):
            ready, _, _ = select.select([shell.stdout], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(shell.stdout.fileno(), 65536) if ready else b""
            if not piece:
                shell.kill()
                raise RuntimeError(f"{name} did not finish {commands!r}: {output.decode(errors='replace')}")
            output += piece
        return output[:-len(END) - 2].decode(errors="replace")

    def close(self):
        for name, (_, process) in self.guests.items():
            # The guest's first process ends its helpers with it.
            pid_file = Path(os.environ.get("HOME", "/root")) / ".uml" / f"{self.prefix}-{name}" / "pid"
            if process.poll() is None and pid_file.exists():
                os.kill(int(pid_file.read_text()), 15)
        deadline = time.monotonic() + 5
        wait_until(lambda: all(process.poll() is not None for _, process in self.guests.values()), deadline - time.monotonic())
        super().close()
