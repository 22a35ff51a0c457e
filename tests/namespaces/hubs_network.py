"""The network around two hubs and four spokes with a host each: one router between all of them."""

HUBS = {"hub": "192.0.2", "hub2": "192.0.3"}
SPOKES = (1, 2, 3, 4)


def block_of(name):
    """The first three bytes of its underlay address, whose last one is 1."""
    return HUBS.get(name) or f"198.18.1{name[-1]}"


def build(lab):
    lab.namespace("wan")
    lab.run("wan", "sysctl -qw net.ipv4.ip_forward=1")
    for name in (*HUBS, *(f"spoke{each}" for each in SPOKES)):
        lab.namespace(name)
        lab.link(name, "eth0", "wan", f"w-{name}")
        lab.run("wan", f"ip addr add {block_of(name)}.254/24 dev w-{name}")
    for each in SPOKES:
        lab.namespace(f"host{each}")
        lab.link(f"host{each}", "eth0", f"spoke{each}", "lan0")
        lab.run(f"host{each}", f"ip addr add 172.16.1{each}.10/24 dev eth0")
        lab.run(f"host{each}", f"ip route add default via 172.16.1{each}.1")
