"""A path that carries 1280 bytes and tells nobody: certificates come through in fragments of IKE's own (RFC 7383), without any of IP's."""

import struct

from certificates import certified, over
from lab import wait_until
from scenario import Scenario

MTU = 1280
IKE_AUTH, ENCRYPTED_FRAGMENT = 35, 53


def ike_on_the_wire(file):
    """Of each IPv4 packet of the capture: its source, its length, whether it is a fragment of IP, and exchange and first payload if it is IKE on port 500."""
    data, at = file.read_bytes(), 24
    while at < len(data):
        size = struct.unpack_from("<8xI", data, at)[0]
        frame, at = data[at + 16:at + 16 + size], at + 16 + size
        if frame[12:14] != b"\x08\x00":
            continue
        ip = frame[14:]
        length, fragment = struct.unpack_from(">2xH2xH", ip)
        ike = ip[28:] if ip[9] == 17 and ip[20:24] == b"\x01\xf4\x01\xf4" else None
        yield ".".join(map(str, ip[12:16])), length, bool(fragment & 0x3fff), (ike[18], ike[16]) if ike and len(ike) >= 28 else None


def certificates(pair):
    """IKE_AUTH of both sides is longer than the path is wide: a leaf with an RSA key, and an intermediate authority with another."""
    wire, file = f"w-{pair.nave.name}", pair.lab.directory / f"narrow-{pair.role}.pcap"
    pair.lab.run("wan", f"ip link set {wire} mtu {MTU}")
    capture = pair.lab.start("wan", ["tcpdump", "-i", wire, "-U", "-w", str(file), "ip"], f"narrow-{pair.role}.log")
    try:
        assert wait_until(lambda: "listening on" in pair.lab.log(f"narrow-{pair.role}"), 5)
        certified(pair, "rsa", authorities="rsa")
        pair.works()
        for size, received in ((MTU, 1), (MTU + 1, 0)):  # the path is as narrow as it should be
            said = pair.linux.shell(f"ping -n -c 1 -W 1 -M do -s {size - 28} {pair.nave.nbma}")
            assert f" {received} received" in said, said
        counted = [pair.nave.counter(name) for name in ("ike-sent-in-fragments", "ike-fragments-complete")]
        assert counted[0] >= 1 and counted[1] == 1, pair.nave.rows("counters")
    finally:
        capture.terminate()
        capture.wait(timeout=5)
        pair.lab.run("wan", f"ip link set {wire} mtu 1500")
        over(pair)
    packets = list(ike_on_the_wire(file))
    for source in (pair.nave.nbma, pair.linux.nbma):
        pieces = [length for sender, length, _, ike in packets if sender == source and ike == (IKE_AUTH, ENCRYPTED_FRAGMENT)]
        assert len(pieces) >= 2 and max(pieces) > MTU - 16, (source, pieces)
    ours = [packet for packet in packets if packet[0] == pair.nave.nbma]
    assert max(length for _, length, _, _ in ours) <= MTU and not any(fragment for _, _, fragment, _ in packets), packets


SCENARIOS = [Scenario("narrow-path-certificates", certificates)]
