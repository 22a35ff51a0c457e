"""A Linux DMVPN peer inside a guest: strongSwan, FRR nhrpd, and what they are told."""

import base64
import copy
import shlex

from guests import VICI_PORT
from lab import PSK, Ping, wait_until
from vici import Vici

CHARON = {"load_modular": "yes", "plugins": {"include strongswan.d/charon/*.conf": None}, "retransmit_timeout": "1.0", "retransmit_base": "1.0",
          "retransmit_tries": "5", "install_routes": "no",
          "filelog": {"file": {"path": "/mnt/guest/charon.log", "default": "1", "flush_line": "yes"}}}
REDIRECT = ("iptables-legacy -A FORWARD -i gre1 -o gre1 -m hashlimit --hashlimit-upto 4/minute --hashlimit-burst 1 --hashlimit-mode srcip,dstip "
            "--hashlimit-name nhrp -j NFLOG --nflog-group 1 --nflog-size 128")


def braces(values, indent=""):
    """strongSwan's configuration syntax out of nested dictionaries; a key without a value is a line of its own."""
    lines = []
    for key, value in values.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key} {{", braces(value, indent + "  "), f"{indent}}}"]
        else:
            quoted = f'"{value}"' if "#" in str(value) and not str(value).startswith('"') else value  # # begins a comment
            lines.append(f"{indent}{key}" if value is None else f"{indent}{key} = {quoted}")
    return "\n".join(lines)


def merged(base, changes):
    """`base` with `changes` laid over it, table by table; a key with the value None is taken out."""
    result = copy.deepcopy(base)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


class Linux:
    """One guest. `identity` is its IKE identity; `become` gives it addresses and a part in the overlay, `speak` its IPsec."""

    def __init__(self, lab, name, channel):
        self.lab, self.name, self.identity = lab, name, "linux.example"
        self.number, self.nbma, self.hubs, self.log_start = 0, "", (), 0
        self.charon_settings, self.vici = None, None
        lab.boot(name, channel)

    def shell(self, commands, timeout=60):
        return self.lab.inside(self.name, commands, timeout)

    def put(self, path, content):
        """Writes a file below the guest's /etc/swanctl, such as "x509ca/root.pem"."""
        data = base64.b64encode(content if isinstance(content, bytes) else content.encode()).decode()
        self.shell(f"echo {data} | base64 -d >/etc/swanctl/{path}; chmod 600 /etc/swanctl/{path}")

    def log(self):
        """What charon wrote since the scenario began."""
        file = self.lab.directory / self.name / "charon.log"
        return file.read_text(errors="replace")[self.log_start:] if file.exists() else ""

    def evidence(self):
        """The end of charon's log and what the kernel counted, for whoever asks why something failed."""
        return self.log()[-4000:] + self.shell("grep '[1-9][0-9]*$' /proc/net/xfrm_stat; ip -s link show gre1; ip neigh show dev gre1; ip route show dev gre1")

    def forget_log(self):
        file = self.lab.directory / self.name / "charon.log"
        self.log_start = len(file.read_text(errors="replace")) if file.exists() else 0

    def become(self, number, nbma, gateway=None, hubs=(), routes=(), bridge="underlay0", identity="linux.example", start=True, shortcut=True):
        """Underlay address `nbma`, tunnel address 10.255.0.NUMBER, LAN 172.16.NUMBER.0/24; a spoke of the hubs at these underlay addresses,
        or itself a hub. `start` starts FRR, and with it a spoke's registration."""
        self.number, self.nbma, self.hubs, self.identity = number, nbma, hubs, identity
        self.lab.plug(self.name, bridge)
        nhrp = ["debug nhrp all", "nhrp multicast-nflog-group 2" if hubs else "nhrp nflog-group 1", "interface gre1", " ip nhrp network-id 1", " ip nhrp holdtime 60",
                " ip nhrp registration no-unique",
                *(f" ip nhrp {what} {hub}" for what in ("nhs dynamic nbma", "map multicast") for hub in hubs), *([] if hubs else [" ip nhrp redirect"]),
                *([" ip nhrp shortcut"] if hubs and shortcut else []),
                " tunnel source eth0", "exit", "line vty", " no login", "exit"]
        files = {"nhrpd": nhrp, "zebra": [f"hostname {self.name}"], "staticd": [f"ip route {route}" for route in routes]}
        links = ["addr flush dev eth0", "addr flush dev lan0", "neigh flush all", f"addr add {nbma}/24 dev eth0",
                 *([f"route add default via {gateway}"] if gateway else []), f"addr add 172.16.{number}.1/24 dev lan0",
                 f"link add gre1 type gre key 42 ttl 64 local {nbma} dev eth0", f"addr add 10.255.0.{number}/32 dev gre1", "link set gre1 mtu 1400 multicast off up"]
        lan = ["addr flush dev eth0", f"addr add 172.16.{number}.10/24 dev eth0", f"route add default via 172.16.{number}.1"]
        batch = lambda lines: "<<end\n" + "\n".join(lines) + "\nend"
        commands = ["pkill -9 -x 'nhrpd|staticd|zebra'; ip link del gre1 2>/dev/null",
                    f"ip -batch - {batch(links)}", f"ip -n lan -batch - {batch(lan)}", "for chain in INPUT OUTPUT FORWARD; do iptables-legacy -F $chain; done",
                    "true" if hubs else REDIRECT, ">/etc/frr/vtysh.conf"]
        commands += [f"echo {shlex.quote(chr(10).join(lines))} >/etc/frr/{daemon}.conf" for daemon, lines in files.items()]
        output = self.shell("\n".join(commands) + " 2>&1")
        if "rror" in output:
            raise RuntimeError(f"{self.name}: {output}")
        if start:
            self.start_frr()

    def start_frr(self):
        """Starts FRR's daemons; a spoke registers at once."""
        self.shell("\n".join(f"/usr/lib/frr/{daemon} -d -A 127.0.0.1 -f /etc/frr/{daemon}.conf -u frr -g frr --log file:/run/frr/{daemon}.log "
                             "</dev/null >/dev/null 2>&1" for daemon in ("zebra", "staticd", "nhrpd")))

    def register(self):
        """Makes a spoke register now, whatever pause nhrpd had come to, by naming its first hub anew."""
        server = f"ip nhrp nhs dynamic nbma {self.hubs[0]}"
        lines = f"enable\nconfigure terminal\ninterface gre1\nno {server}\n{server}\nend\nexit\n"
        self.shell(f"exec 3<>/dev/tcp/127.0.0.1/2610; printf %s {shlex.quote(lines)} >&3; mapfile -t <&3; exec 3>&-")

    # -- IPsec

    def charon(self, **settings):
        """Starts charon anew with keys of strongswan.conf's charon section over ours, and with nothing left of before."""
        self.charon_settings = settings
        self.vici = None
        text = braces({"charon-systemd": merged(CHARON, settings), "swanctl": {"load": "pem pkcs1 pkcs8 x509 pubkey openssl random nonce"}})
        self.shell(f"pkill -9 -x charon-systemd; while pgrep -x charon-systemd >/dev/null; do sleep 0.02; done; rm -f /run/charon*; echo {shlex.quote(text)} >/etc/strongswan.conf\n"
                   "ip xfrm state flush; ip xfrm policy flush\n"
                   "setsid charon-systemd </dev/null >>/mnt/guest/charon.out 2>&1 &\nfor i in $(seq 300); do [ -S /run/charon.vici ] && break; sleep 0.02; done")

    def charon_with(self, settings):
        """Starts charon anew only if it runs with other settings."""
        if self.charon_settings != settings:
            self.charon(**settings)

    def kill_charon(self):
        """Kill -9, and its kernel state with it, as if the machine had lost its power."""
        self.shell("pkill -9 -x charon-systemd; ip xfrm policy flush; ip xfrm state flush")
        self.charon_settings, self.vici = None, None

    def connection(self, remote, changes):
        """swanctl.conf's connection `dmvpn` towards `remote`; `changes` holds keys of it, and tables `local`, `remote` and `child`."""
        child = {"mode": "transport", "local_ts": "dynamic[gre]", "remote_ts": "dynamic[gre]", "esp_proposals": "aes256gcm16-esn-curve25519,aes256gcm16-curve25519,aes256gcm16",
                 "rekey_time": "1h", "start_action": "trap"}
        base = {"version": "2", "mobike": "no", "local_addrs": self.nbma, "remote_addrs": remote, "proposals": "aes256gcm16-prfsha384-curve25519",
                "dpd_delay": "30s", "keyingtries": "1", "unique": "replace", "local": {"auth": "psk", "id": self.identity}, "remote": {"auth": "psk", "id": "%any"}}
        changes = dict(changes)
        child = merged(child, changes.pop("child", None) or {})
        return merged(base, changes) | {"children": {"dmvpn": child}}

    def speak(self, remote, changes=None, secrets=None, authorities=None):
        """Loads the connection towards `remote` in the place of what was there; existing SAs end."""
        self.ask("unload-conn", name="dmvpn")  # its trap would begin anew between the two
        self.terminate()
        text = braces({"connections": {"dmvpn": self.connection(remote, changes or {})},
                       "secrets": secrets if secrets is not None else {"ike-any": {"secret": f'"{PSK}"'}}, **({"authorities": authorities} if authorities else {})})
        output = self.shell(f"umask 077; echo {shlex.quote(text)} >/etc/swanctl/conf.d/guest.conf; umask 022\nswanctl --load-all --clear 2>&1")
        if "successfully loaded 1 connections" not in output:
            raise RuntimeError(f"swanctl in {self.name} did not load: {output}\n{text}")

    def ask(self, command, **message):
        """A command of vici, answered with charon's words."""
        if self.vici is None:
            pipes = self.lab.connect(self.name, VICI_PORT)
            self.vici = Vici(pipes.stdout, pipes.stdin)
        return self.vici.command(command, message)

    def initiate(self, seconds=10):
        """What became of `swanctl --initiate --child dmvpn`."""
        return self.ask("initiate", child="dmvpn", timeout=str(seconds * 1000), **{"init-limits": "no"})

    def terminate(self):
        """Ends all SAs; what the peer does not answer to is forgotten."""
        return self.ask("terminate", ike="dmvpn", force="yes", timeout="1000")

    def rekey(self, kind):
        """Asks strongSwan to rekey its "child" or "ike" SA; returns when it has begun."""
        answer = self.ask("rekey", **{kind: "dmvpn"})
        assert answer["success"] == "yes", answer

    def sas(self):
        """The IKE SAs by `swanctl --list-sas`, each with "child-sas"."""
        self.ask("version")
        return [sa for _, sa in self.vici.stream("list-sas", "list-sa")]

    def established(self):
        """How many IKE SAs and installed child SAs strongSwan has."""
        sas = [sa for sa in self.sas() if sa["state"] == "ESTABLISHED"]
        return len(sas), sum(child["state"] == "INSTALLED" for sa in sas for child in sa.get("child-sas", {}).values())

    def encapsulated(self):
        """Whether all its ESP goes in UDP."""
        children = [child for sa in self.sas() for child in sa.get("child-sas", {}).values()]
        return bool(children) and all(child.get("encap") == "yes" for child in children)

    # -- traffic

    def ping(self, target, count=5, interval=0.1):
        """Pings of the host behind this peer."""
        return Ping(self.shell(f"ip netns exec lan ping -n -c {count} -i {interval} -W 2 {target}", timeout=60 + int(count * interval)))

    def reaches(self, target, seconds=8):
        """Whether a ping of the host behind this peer is answered within that time."""
        return wait_until(lambda: self.ping_once(target), seconds)

    def ping_once(self, target):
        return "alive" in self.shell(f"for i in 1 2 3 4 5; do ip netns exec lan ping -n -c 1 -W 0.4 {target} >/dev/null && echo alive && break; done")
