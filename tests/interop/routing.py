"""Routing daemons: FRR's BGP, OSPF and BFD on the twins of nave gateways, with the configurations of conf/frr, and a Linux peer with its own."""

import re
import time

from dmvpn import relay_and_shortcut
from frr import configuration
from lab import wait_until
from pair import PING_TTL, RESPONDER
from scenario import Scenario

TABLE = 100  # of the tunnel, as conf/frr has it
BFD = ["bfd", " profile overlay", "  receive-interval 100", "  transmit-interval 100", " exit", "exit"]
ROUTED = {"table": TABLE, "routes": None}  # a spoke whose routes are all BGP's


def quick(group):
    """BGP that notices within seconds."""
    return [*BFD, "router bgp 65000", f" neighbor {group} timers 1 3", f" neighbor {group} timers connect 1"]


def with_bgp(world, gateway, *changes, hubs=()):
    """Starts FRR on a gateway: as a hub, or as a spoke of `hubs`."""
    name, group = ("spoke-bgp", "hubs") if hubs else ("hub-bgp", "spokes")
    more = ["router bgp 65000", *(f" neighbor 10.255.0.{hub.number} peer-group hubs" for hub in hubs[1:])]
    world.frr(gateway, configuration(name, gateway.number, hubs[0].number if hubs else gateway.number), ["bgpd", "bfdd"],
              [*quick(group), *(more if hubs else []), *changes])


def routes(world, gateway, table=TABLE):
    """The kernel's routes of the daemons through the twin: prefix to gateway."""
    listed = world.lab.run(gateway.name, f"ip route show table {table} dev nave0")
    return dict(re.findall(r"^(\S+) (?:nhid \d+ )?via (\S+) proto (?:bgp|ospf)", listed, re.MULTILINE))


def expect_routes(world, gateway, wanted, seconds=20, table=TABLE):
    """Waits until the daemons' routes are these, and until nave has each of them."""
    assert wait_until(lambda: routes(world, gateway, table) == wanted, seconds), f"{gateway.name}: {routes(world, gateway, table)}, expected {wanted}"
    assert wait_until(lambda: wanted.keys() <= {row["prefix"] for row in gateway.rows("routes")}, 2), gateway.rows("routes")


def way(gateway, prefix):
    """How nave sends packets for a prefix: next hop, and whose route that is."""
    row = next(row for row in gateway.rows("routes") if row["prefix"] == prefix)
    return row["via"].split()[0], row["source"]


def bgp(world):
    """Dynamic neighbours, a summary from the hub, shortcuts that override it by longest match; and a Linux spoke among nave's."""
    hub = world.nave_hub([], table=TABLE)
    one, other = (world.nave_spoke(number, **ROUTED) for number in (31, 32))
    with_bgp(world, hub)
    for spoke in (one, other):
        with_bgp(world, spoke, hubs=(hub,))
    linux = world.linux_spoke(21, connection={"child": {"reqid": "7"}})
    linux_bgp(linux, hub)
    expect_routes(world, hub, {f"172.16.{spoke.number}.0/24": f"10.255.0.{spoke.number}" for spoke in (one, other, linux)}, 40)
    for spoke in (one, other):
        expect_routes(world, spoke, {"172.16.0.0/16": "10.255.0.2"})
    relay_and_shortcut(world, hub, one, other)
    assert way(one, "172.16.32.0/24") == ("10.255.0.32", "shortcut") and way(one, "172.16.0.0/16") == ("10.255.0.2", "kernel"), one.rows("routes")
    relay_and_shortcut(world, hub, one, linux)


def linux_bgp(linux, hub):
    """bgpd in a guest whose zebra and nhrpd run: announces its network."""
    lines = ["router bgp 65000", f" bgp router-id 10.255.0.{linux.number}", f" neighbor 10.255.0.{hub.number} remote-as internal",
             f" neighbor 10.255.0.{hub.number} timers 1 3", f" neighbor 10.255.0.{hub.number} timers connect 1", f" neighbor 10.255.0.{hub.number} update-source gre1",
             " address-family ipv4 unicast", f"  network 172.16.{linux.number}.0/24", " exit-address-family"]
    text = "\n".join(lines)
    linux.shell(f"printf '%s\\n' '{text}' >/etc/frr/bgpd.conf; /usr/lib/frr/bgpd -d -A 127.0.0.1 -f /etc/frr/bgpd.conf -u frr -g frr --log file:/run/frr/bgpd.log "
                "</dev/null >/dev/null 2>&1")


SCENARIOS = [
    Scenario("bgp", bgp, (RESPONDER,), wide=True),
]
