"""A walk through the route table of a gateway's packet path: a packet for each prefix, and where it came out."""

import ctypes
import json
import select
import socket
import threading

from frr import TABLE, Frr, configuration

CLONE_NEWNET = 0x40000000
SO_RCVBUFFORCE = 33
ETH_P_IP = 0x0800
PORT = 4242


def socket_in(lab, name, *arguments):
    """A socket that lives in a namespace of the lab."""
    made = []

    def make():
        with open(f"/run/netns/{lab.full(name)}", "rb") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"cannot enter the namespace {name}")
        made.append(socket.socket(*arguments))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


class Walker:
    """Sends from one host of the lab and listens at others."""

    def __init__(self, lab, sender, *receivers):
        self.sender = socket_in(lab, sender, socket.AF_INET, socket.SOCK_DGRAM)
        self.sender.setblocking(False)
        self.ears = {}
        for name in receivers:
            ear = socket_in(lab, name, socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
            ear.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
            self.ears[ear] = name

    def send(self, address):
        try:
            self.sender.sendto(b"walk", (address, PORT))
        except OSError:  # what an earlier packet came to: unreachable
            pass

    def heard(self, patience):
        """What arrives until nothing has for that many seconds: pairs of address and receiver."""
        while ready := select.select(list(self.ears), [], [], patience)[0]:
            for ear in ready:
                packet = ear.recv(128)
                if packet[9] == socket.IPPROTO_UDP and packet[22:24] == PORT.to_bytes(2):
                    yield socket.inet_ntoa(packet[16:20]), self.ears[ear]

    def walk(self, addresses):
        """Where packets to these addresses come out. What was lost on the way is sent again, as interfaces of a busy machine drop."""
        found, missing = {}, list(addresses)
        for _ in range(4):
            for start in range(0, len(missing), 100):
                for address in missing[start:start + 100]:
                    self.send(address)
                found |= dict(self.heard(0.005))
            found |= dict(self.heard(0.3))
            missing = [address for address in missing if address not in found]
        return found


def kernel_routes(lab, gateway, table):
    """The daemons' routes of a kernel table: prefix to gateway."""
    listed = json.loads(lab.run(gateway, f"ip -json route show table {table}") or "[]")
    return {route["dst"]: route["gateway"] for route in listed if route.get("protocol") in ("bgp", "ospf") and "gateway" in route}


def prefix(number):
    """One of up to 65,536 prefixes to inject."""
    return f"20.{number // 256}.{number % 256}.0/24"


def first_host(block):
    """20.1.2.0/24 to 20.1.2.1."""
    return block.rsplit(".", 1)[0] + ".1"


def start_frr(lab, names):
    """BGP on gateways of a Lab; spokes announce what is injected into them, and the hub takes it."""
    numbers = {"hub": 1, "spoke1": 11, "spoke2": 12}
    lab.frr = {}
    for name in names:
        if name == "hub":
            changes = ["ip prefix-list SPOKES permit 20.0.0.0/8 ge 24", "router bgp 65000", " address-family ipv4 unicast", "  neighbor spokes maximum-prefix 100000"]
        else:
            changes = ["ip prefix-list INJECTED permit 20.0.0.0/8 ge 24", "route-map INJECTED permit 10", " match ip address prefix-list INJECTED", "exit",
                       "router bgp 65000", " neighbor hubs timers connect 1", " address-family ipv4 unicast", "  redistribute kernel route-map INJECTED"]
        role = "hub" if name == "hub" else "spoke"
        lab.frr[name] = Frr(lab, name, configuration(f"{role}-bgp", numbers[name], numbers["hub"]), ["bgpd", "bfdd"], changes)


def inject(lab, numbers):
    """Gives spokes the prefixes of these numbers to announce, and leads what comes for them to their hosts."""
    for name, those in numbers.items():
        batch = lab.directory / f"batch-{name}"
        batch.write_text("".join(f"route add blackhole {prefix(number)}\n" for number in those))
        lab.run(name, f"ip -batch {batch}")
        lab.run(name, f"ip route replace 20.0.0.0/8 via 172.16.{10 + int(name[-1])}.10 dev lan table {TABLE}")
