"""Real Linux peers: user-mode-linux guests with the kernel's GRE and ESP, strongSwan and FRR nhrpd, on the lab's wide area."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "namespaces"))
from lab import PSK, Lab, wait_until  # noqa: E402

HERE = Path(__file__).resolve().parent

SETUP = """set -x
ip link set vec0 name eth0; ip link set vec1 name control0
ethtool -K eth0 tso off gso off gro off
ip addr add 192.0.2.{number}/24 dev eth0; ip link set eth0 up
ip addr add 10.99.0.{number}/24 dev control0; ip link set control0 up
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 net.ipv4.conf.all.send_redirects=0 \\
    net.ipv4.conf.default.send_redirects=0
ip netns add lan
ip link add lan0 type veth peer name eth0 netns lan
ip addr add 172.16.{number}.1/24 dev lan0; ip link set lan0 up
ip -n lan addr add 172.16.{number}.10/24 dev eth0; ip -n lan link set eth0 up
ip -n lan route add default via 172.16.{number}.1
ip link add gre1 type gre key 42 ttl 64 local 192.0.2.{number} dev eth0
ip addr add 10.255.0.{number}/32 dev gre1
ip link set gre1 mtu 1400 multicast off up
cp /mnt/guest/strongswan.conf /etc/strongswan.conf
install -m 600 /mnt/guest/swanctl.conf /etc/swanctl/conf.d/guest.conf
charon-systemd >/mnt/guest/charon.out 2>&1 &
for i in $(seq 300); do [ -S /run/charon.vici ] && break; sleep 0.1; done
swanctl --load-all
cp /mnt/guest/zebra.conf /mnt/guest/staticd.conf /mnt/guest/nhrpd.conf /etc/frr/; touch /etc/frr/vtysh.conf
for daemon in zebra staticd nhrpd; do /usr/lib/frr/$daemon -d -A 127.0.0.1 -f /etc/frr/$daemon.conf -u frr -g frr --log file:/run/frr/$daemon.log; done
"""
REDIRECT = """iptables-legacy -A FORWARD -i gre1 -o gre1 -m hashlimit --hashlimit-upto 4/minute --hashlimit-burst 1 --hashlimit-mode srcip,dstip \\
    --hashlimit-name nhrp -j NFLOG --nflog-group 1 --nflog-size 128
"""
SWANCTL = """connections {{
  dmvpn {{
    version = 2
    mobike = no
    local_addrs = 192.0.2.{number}
    remote_addrs = 192.0.2.0/24
    proposals = aes256gcm16-prfsha384-ecp384,aes256-sha256-ecp256
    dpd_delay = 30s
    keyingtries = 0
    unique = replace
    local {{
      auth = psk
      id = {name}.example
    }}
    remote {{
      auth = psk
      id = %any
    }}
    children {{
      dmvpn {{
        mode = transport
        local_ts = dynamic[gre]
        remote_ts = dynamic[gre]
        esp_proposals = {esp}
        rekey_time = 1h
        start_action = trap
      }}
    }}
  }}
}}
secrets {{
  ike-any {{
    secret = "{psk}"
  }}
}}
"""
STRONGSWAN = """charon-systemd {
  load_modular = yes
  plugins {
    include strongswan.d/charon/*.conf
  }
  filelog {
    file {
      path = /mnt/guest/charon.log
      default = 1
      flush_line = yes
    }
  }
}
"""


class GuestLab(Lab):
    """A lab whose wide area is one bridge, with guests as peers and nave gateways in namespaces."""

    def __init__(self, prefix):
        super().__init__(prefix)
        self.guests = {}

    def wide_area(self):
        self.namespace("wan")
        for bridge, address in (("underlay0", "192.0.2.254/24"), ("control0", "10.99.0.254/24")):
            self.run("wan", f"ip link add {bridge} type bridge forward_delay 0 mcast_snooping 0")
            self.run("wan", f"ip addr add {address} dev {bridge}")
            self.run("wan", f"ip link set {bridge} up")
        self.shim = self.directory / "regset.so"
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", self.shim, HERE / "regset.c"], check=True)

    def nave_site(self, name, number):
        """Namespaces for a nave gateway on the bridge and for a host behind it."""
        self.namespace(name)
        self.namespace(f"host-{name}")
        self.link(name, "eth0", "wan", f"w-{name}")
        self.run("wan", f"ip link set w-{name} master underlay0")
        # Guests leave UDP checksums to the device; the bridge port fills them in.
        self.run("wan", f"ethtool -K w-{name} tx off", check=False)
        self.link(f"host-{name}", "eth0", name, "lan0")
        self.run(f"host-{name}", f"ip addr add 172.16.{number}.10/24 dev eth0")
        self.run(f"host-{name}", f"ip route add default via 172.16.{number}.1")

    def guest(self, name, number, hub=False, routes=(), hub_number=1, esp="aes256gcm16-ecp384,aes256gcm16"):
        """Boots a guest whose tunnel address is 10.255.0.NUMBER and whose LAN is 172.16.NUMBER.0/24; `esp` in strongSwan's words."""
        folder = self.directory / name
        folder.mkdir()
        values = {"name": name, "number": number, "psk": PSK, "esp": esp}
        nhrp = ["debug nhrp all"] + (["nhrp nflog-group 1"] if hub else []) + ["interface gre1", " ip nhrp network-id 1", " ip nhrp holdtime 60",
               " ip nhrp registration no-unique", *([" ip nhrp redirect"] if hub else [f" ip nhrp nhs dynamic nbma 192.0.2.{hub_number}", " ip nhrp shortcut"]),
               " tunnel source eth0", "exit"]
        for file, text in {"setup": SETUP.format(**values) + (REDIRECT if hub else ""), "swanctl.conf": SWANCTL.format(**values), "strongswan.conf": STRONGSWAN,
                           "nhrpd.conf": "\n".join(nhrp) + "\n", "zebra.conf": f"hostname {name}\n",
                           "staticd.conf": "".join(f"ip route {route}\n" for route in routes)}.items():
            (folder / file).write_text(text)
        for kind, bridge in (("w", "underlay0"), ("c", "control0")):
            self.run("wan", f"ip tuntap add dev {kind}-{name} mode tap")
            self.run("wan", f"ip link set {kind}-{name} master {bridge} up")
        unit, memory = f"{self.prefix}-{name}", "160M"
        command = ["env", "TMPDIR=/dev/shm", f"LD_PRELOAD={self.shim}", "linux.uml", f"umid={unit}", f"mem={memory}", "root=/dev/root", "rootfstype=hostfs",
                   "rootflags=/", "ro", f"init={HERE}/guest_init", f"vec0:transport=tap,ifname=w-{name},mac=02:00:5e:00:01:{number:02x},depth=128",
                   f"vec1:transport=tap,ifname=c-{name},mac=02:00:5e:00:02:{number:02x},depth=64", "con=null", "con0=null,fd:1", "quiet",
                   f"GUEST_FOLDER={folder}"]
        self.guests[name] = (number, self.start("wan", command, f"guest-{name}.log"))
        time.sleep(1)
        self.run("wan", f"ethtool -K w-{name} tx off tso off gso off", check=False)

    def guest_ready(self, name, seconds=60):
        if not wait_until(lambda: (self.directory / name / "ready").exists(), seconds):
            raise RuntimeError(f"guest {name} did not boot: {self.log(f'guest-{name}')[-1500:]}")

    def inside(self, name, commands, timeout=60):
        """Runs shell commands in a guest and gives what they print."""
        number = self.guests[name][0]
        return subprocess.run(["ip", "netns", "exec", self.full("wan"), "socat", "-t", str(timeout), "-", f"TCP:10.99.0.{number}:2300,connect-timeout=5"],
                              input=commands.encode() + b"\n", capture_output=True, timeout=timeout + 10, check=False).stdout.decode(errors="replace")

    def charon_log(self, name):
        file = self.directory / name / "charon.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def guest_ping(self, name, target, count=5):
        output = self.inside(name, f"ip netns exec lan ping -n -c {count} -i 0.3 -W 2 {target}")
        return [int(ttl) for ttl in re.findall(r"ttl=(\d+)", output)]

    def close(self):
        for name, (_, process) in self.guests.items():
            # The guest's first process ends its helpers with it.
            pid_file = Path(os.environ.get("HOME", "/root")) / ".uml" / f"{self.prefix}-{name}" / "pid"
            if process.poll() is None and pid_file.exists():
                os.kill(int(pid_file.read_text()), 15)
                wait_until(lambda: process.poll() is not None, 5)
        super().close()
