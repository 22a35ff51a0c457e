"""Routing daemons: FRR's BGP, OSPF and BFD on the twins of nave gateways, with the configurations of conf/frr, and a Linux peer with its own."""

import re
import threading
import time

from dmvpn import RELAYED, relay_and_shortcut
from frr import TABLE, configuration
from gateway import MAIN_TABLE
from lab import wait_until
from pair import RESPONDER
from scenario import Scenario

BFD = ["bfd", " profile overlay", "  receive-interval 100", "  transmit-interval 100", " exit", "exit"]
PHASE_2 = ["router bgp 65000", " address-family ipv4 unicast", "  no aggregate-address 172.16.0.0/16 summary-only"]
ROUTED = {"table": TABLE, "routes": None}  # a spoke whose routes are all BGP's


def quick(group):
    """BGP that notices within seconds."""
    return [*BFD, "router bgp 65000", f" neighbor {group} timers 1 3", f" neighbor {group} timers connect 1", "exit"]


def with_bgp(world, gateway, *changes, hubs=()):
    """Starts FRR on a gateway: as a hub, or as a spoke of `hubs`."""
    name, group = ("spoke-bgp", "hubs") if hubs else ("hub-bgp", "spokes")
    more = ["router bgp 65000", *(f" neighbor 10.255.0.{hub.number} peer-group hubs" for hub in hubs[1:]), "exit"]
    world.frr(gateway, configuration(name, gateway.number, hubs[0].number if hubs else gateway.number), ["bgpd", "bfdd"],
              [*quick(group), *(more if hubs else []), *changes])


def routes(world, gateway, table=TABLE, whose="bgp|ospf"):
    """The kernel's routes of the daemons through the twin: prefix to gateway."""
    listed = world.lab.run(gateway.name, f"ip route show table {table} dev nave0")
    return dict(re.findall(rf"^(\S+/\d+) (?:nhid \d+ )?via (\S+) proto (?:{whose})", listed, re.MULTILINE))  # without OSPF's host routes


def expect_routes(world, gateway, wanted, seconds=20, table=TABLE, whose="bgp|ospf"):
    """Waits until the daemons' routes are these, and until nave has each of them."""
    assert wait_until(lambda: routes(world, gateway, table, whose) == wanted, seconds), \
        f"{gateway.name}: {routes(world, gateway, table, whose)}, expected {wanted}\n{gateway.frr.show(f'ip route table {table}')}"
    assert wait_until(lambda: wanted.keys() <= {row["prefix"] for row in gateway.rows("routes")}, 2), gateway.rows("routes")


def way(gateway, prefix):
    """How nave sends packets for a prefix: next hop, and whose route that is."""
    row = next(row for row in gateway.rows("routes") if row["prefix"] == prefix)
    return row["via"].split()[0], row["source"]


def bgp_pair(world, *changes):
    """A hub, with changes of its FRR, and two spokes."""
    hub = world.nave_hub([], table=TABLE)
    one, other = (world.nave_spoke(number, **ROUTED) for number in (31, 32))
    with_bgp(world, hub, *changes)
    for spoke in (one, other):
        with_bgp(world, spoke, hubs=(hub,))
    return hub, one, other


def bgp(world):
    """Dynamic neighbours, a summary from the hub, shortcuts that override it by longest match; and a Linux spoke among nave's."""
    hub, one, other = bgp_pair(world)
    linux = world.linux_spoke(21, connection={"child": {"reqid": "7"}})
    linux_bgp(linux, hub)
    # What nave's spokes register stands in the hub's table as well, and zebra takes one of the two.
    expect_routes(world, hub, {f"172.16.{spoke.number}.0/24": f"10.255.0.{spoke.number}" for spoke in (one, other, linux)}, 40, whose="bgp|nhrp")
    known = lambda: hub.frr.show("ip bgp")
    assert wait_until(lambda: all(f"i172.16.{spoke.number}.0/24" in known() for spoke in (one, other, linux)), 20, 0.3), known()
    for spoke in (one, other):
        expect_routes(world, spoke, {"172.16.0.0/16": "10.255.0.2"})
    relay_and_shortcut(world, hub, one, other)
    assert way(one, "172.16.32.0/24") == ("10.255.0.32", "shortcut") and way(one, "172.16.0.0/16") == ("10.255.0.2", "kernel"), one.rows("routes")
    relay_and_shortcut(world, hub, one, linux)


def next_hop_preserving(world):
    """Phase 2: the hub reflects each spoke's network with its spoke as the next hop. The kernel hears of the other spoke, and traffic goes by the hub
    until NHRP knows it."""
    hub, one, other = bgp_pair(world, *PHASE_2)
    for spoke, far in ((one, other), (other, one)):
        expect_routes(world, spoke, {f"172.16.{far.number}.0/24": f"10.255.0.{far.number}", "172.16.2.0/24": "10.255.0.2"})
    relay_and_shortcut(world, hub, one, other)
    assert way(one, "172.16.32.0/24") == ("10.255.0.32", "shortcut"), one.rows("routes")


def failover(world):
    """Two hubs; kill -9 of the one that carries the traffic. What BFD and BGP made of it is printed."""
    world.hub_number = 2
    hub, spare = world.nave_hub([], table=TABLE), world.nave(3)
    spare.start("192.0.2.3", tunnel={"identity": "hub3.example", "table": TABLE})
    world.used.append(spare)
    hubs = [{"address": "192.0.2.2", "identity": "hub.example", "priority": 1}, {"address": "192.0.2.3", "identity": "hub3.example", "priority": 2}]
    one, other = (world.nave_spoke(number, **ROUTED | {"shortcut": False, "hub": hubs}) for number in (31, 32))
    for each in (hub, spare):
        with_bgp(world, each)
    for each in (one, other):
        with_bgp(world, each, hubs=(hub, spare))
        expect_routes(world, each, {"172.16.0.0/16": "10.255.0.2"})
    assert wait_until(lambda: all(each.frr.show("bfd peers brief").count(" up") == 2 for each in (one, other)), 15, 0.3), one.frr.show("bfd peers brief")
    assert one.reaches(other.host)
    count, interval, result = 400, 0.02, []
    pings = threading.Thread(target=lambda: result.append(one.ping(other.host, count, interval)))
    pings.start()
    time.sleep(1)
    is_up = lambda: re.search(r"10\.255\.0\.2 +up", one.frr.ask("bfdd", "show bfd peers brief"))
    assert is_up(), one.frr.ask("bfdd", "show bfd peers brief")
    killed = time.monotonic()
    world.lab.gateways[hub.name].kill()
    assert wait_until(lambda: not is_up(), 10, 0.01), one.frr.show("bfd peers brief")
    known = time.monotonic() - killed
    assert wait_until(lambda: routes(world, one) == {"172.16.0.0/16": "10.255.0.3"}, 10, 0.01), routes(world, one)
    moved = time.monotonic() - killed
    pings.join()
    lost = result[0].sent - len(result[0].ttls)
    assert result[0].ttls[-20:] == [RELAYED] * 20, result[0].output
    print(f"    kill -9 of a hub: BFD (3 x 100 ms) knew after {known:.2f} s, BGP had the other hub's route after {moved:.2f} s, "
          f"{lost * interval:.2f} s of traffic lost", flush=True)


def ospf(world):
    """Hellos by multicast, that the dataplane replicates; each spoke's network through the hub, until a shortcut takes the same prefix straight."""
    hub = world.nave_hub([], table=MAIN_TABLE)
    one, other = (world.nave_spoke(number, table=MAIN_TABLE, routes=None) for number in (31, 32))
    for each in (hub, one, other):
        role = "hub" if each is hub else "spoke"
        timers = ["interface nave0", " ip ospf hello-interval 1", " ip ospf dead-interval 3"]
        world.frr(each, configuration(f"{role}-ospf", each.number, hub.number), ["ospfd", "bfdd"], [*timers, *BFD])
    for spoke, far in ((one, other), (other, one)):
        expect_routes(world, spoke, {f"172.16.{far.number}.0/24": "10.255.0.2", "172.16.2.0/24": "10.255.0.2"}, 30, MAIN_TABLE)
    relay_and_shortcut(world, hub, one, other)
    assert way(one, "172.16.32.0/24") == ("10.255.0.32", "shortcut"), one.rows("routes")
    assert routes(world, one, MAIN_TABLE)["172.16.32.0/24"] == "10.255.0.2"
    assert wait_until(lambda: hub.frr.show("bfd peers brief").count(" up") == 2, 15, 0.3), hub.frr.show("bfd peers brief")


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
    Scenario("bgp-next-hop-preserving", next_hop_preserving, (RESPONDER,), wide=True),
    Scenario("bgp-failover", failover, (RESPONDER,), wide=True),
    Scenario("ospf", ospf, (RESPONDER,), wide=True),
]
