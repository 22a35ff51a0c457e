"""A walk through the route table of a gateway's packet path: a packet for each prefix, and where it came out."""

import ctypes
import json
import select
import socket
import threading
import time

CLONE_NEWNET = 0x40000000
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
            ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUFFORCE, 64 << 20)
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
    return {route["dst"]: route["gateway"] for route in listed if route["protocol"] in ("bgp", "ospf", "static") and "gateway" in route}


def first_host(prefix):
    """20.1.2.0/24 to 20.1.2.1."""
    return prefix.rsplit(".", 1)[0] + ".1"


def wait_for_routes(count, seconds, seen):
    """Asks `seen` for a number of routes until it is that many; gives the time when it was."""
    deadline = time.monotonic() + seconds
    while seen() < count:
        assert time.monotonic() < deadline, f"{seen()} of {count} routes"
        time.sleep(0.01)
    return time.monotonic()
