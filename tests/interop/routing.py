"""Routing daemons: FRR's BGP, OSPF and BFD on the twins of nave gateways, with the configurations of conf/frr, and a Linux peer with its own."""

import re
import shlex
import time
from concurrent.futures import ThreadPoolExecutor

from dmvpn import RELAYED, registered_at_nave, relay_and_shortcut
from frr import TABLE, configuration
from gateway import MAIN_TABLE
from lab import wait_until
from pair import RESPONDER
from scenario import Scenario

DEAD_AFTER = 3  # seconds, by BGP's and OSPF's own timers
BFD = ["bfd", " profile overlay", "  receive-interval 100", "  transmit-interval 100", " exit", "exit"]
OSPF_TIMERS = ["interface nave0", " ip ospf hello-interval 1", " ip ospf dead-interval 3", "exit",
               "router ospf", " timers throttle lsa all 0", " timers lsa min-arrival 0", "exit"]
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


def learned(listed, whose="bgp|ospf"):
    """The daemons' routes among those that the kernel listed, without OSPF's host routes: prefix to gateway."""
    return dict(re.findall(rf"^(\S+/\d+) (?:nhid \d+ )?via (\S+) proto (?:{whose})", listed, re.MULTILINE))


def routes(world, gateway, table=TABLE, whose="bgp|ospf"):
    """What nave's twin has learned."""
    return learned(world.lab.run(gateway.name, f"ip route show table {table} dev nave0"), whose)


def at_linux(linux, whose="bgp|ospf"):
    """What a guest has learned."""
    return learned(linux.shell("ip route show dev gre1"), whose)


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
    expect_routes(world, hub, {f"172.16.{spoke.number}.0/24": f"10.255.0.{spoke.number}" for spoke in (one, other, linux)}, 40, whose="bgp|78")
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


def two_hubs(world, **spoke):
    """A hub and a spare one in a tunnel's table; two spokes with these keys and a Linux one that know both. All traffic between spokes goes by a hub."""
    world.hub_number = 2
    hub, spare = world.nave_hub([], table=spoke["table"]), world.nave(3)
    spare.start("192.0.2.3", tunnel={"identity": "hub3.example", "table": spoke["table"]})
    world.used.append(spare)
    hubs = [{"address": "192.0.2.2", "identity": "hub.example", "priority": 1}, {"address": "192.0.2.3", "identity": "hub3.example", "priority": 2}]
    one, other = (world.nave_spoke(number, **spoke | {"routes": None, "shortcut": False, "hub": hubs}) for number in (31, 32))
    linux = world.linux_spoke(21, connection={"child": {"reqid": "7"}}, shortcut=False, spare=spare)
    for each in (hub, spare):
        registered_at_nave(each, {linux.identity: linux.number})
    return hub, spare, one, other, linux


def fail_over(world, protocol, hub, one, other, linux, prefix, table):
    """Kill -9 of the hub that carries the traffic between a spoke and two others. What BFD and the routing protocol made of it is printed; no traffic rests
    longer than BGP's hold time and OSPF's dead interval, and a second for what they bring about."""
    assert wait_until(lambda: all(each.frr.show("bfd peers brief").count(" up") == 2 for each in (one, other)), 15, 0.3), one.frr.show("bfd peers brief")
    assert wait_until(lambda: at_linux(linux).get(prefix) == "10.255.0.2", 5), at_linux(linux)
    assert {sa["remote-id"] for sa in linux.sas()} == {"hub.example", "hub3.example"}, linux.sas()
    world.reach((one, other), (one, linux), count=1)
    count, interval = 400, 0.02
    is_up = lambda: re.search(r"10\.255\.0\.2 +up", one.frr.ask("bfdd", "show bfd peers brief"))
    with ThreadPoolExecutor() as pool:
        trains = [pool.submit(one.ping, f"172.16.{far.number}.10", count, interval) for far in (other, linux)]
        time.sleep(1)
        assert is_up(), one.frr.ask("bfdd", "show bfd peers brief")
        killed = time.monotonic()
        world.lab.gateways[hub.name].kill()
        assert wait_until(lambda: not is_up(), 10, 0.01), one.frr.show("bfd peers brief")
        known = time.monotonic() - killed
        assert wait_until(lambda: routes(world, one, table).get(prefix) == "10.255.0.3", 10, 0.01), routes(world, one, table)
        moved = time.monotonic() - killed
    pings = [train.result() for train in trains]
    for ping in pings:
        assert ping.ttls[-20:] == [RELAYED] * 20, ping.output
    assert at_linux(linux)[prefix] == "10.255.0.3", at_linux(linux)
    lost, lost_with_linux = ((ping.sent - len(ping.ttls)) * interval for ping in pings)
    print(f"    kill -9 of a hub: BFD (3 x 100 ms) knew after {known:.2f} s, {protocol} had the other hub's route after {moved:.2f} s, "
          f"{lost:.2f} s of traffic lost, {lost_with_linux:.2f} s with the Linux spoke", flush=True)
    assert max(lost, lost_with_linux) < DEAD_AFTER + 1, (lost, lost_with_linux)


def bgp_failover(world):
    """The hub of the lowest router id carries the traffic, then the other."""
    hub, spare, one, other, linux = two_hubs(world, table=TABLE)
    linux_bgp(linux, hub, spare)
    for each in (hub, spare):
        with_bgp(world, each)
    for each in (one, other):
        with_bgp(world, each, hubs=(hub, spare))
        expect_routes(world, each, {"172.16.0.0/16": "10.255.0.2"})
    for each in (hub, spare):
        expect_routes(world, each, {f"172.16.{spoke.number}.0/24": f"10.255.0.{spoke.number}" for spoke in (one, other, linux)}, 40, whose="bgp|78")
    paths = lambda: linux.shell("vtysh -c 'show ip bgp 172.16.0.0/16'")
    assert wait_until(lambda: all(f"from 10.255.0.{each.number} " in paths() for each in (hub, spare)), 20, 0.3), paths()
    fail_over(world, "BGP", hub, one, other, linux, "172.16.0.0/16", TABLE)


def with_ospf(world, gateway, role, *changes):
    """Starts FRR on a gateway with OSPF that notices within seconds."""
    world.frr(gateway, configuration(f"{role}-ospf", gateway.number, 2), ["ospfd", "bfdd"], [*OSPF_TIMERS, *changes, *BFD])


def as_a_host(world, gateway):
    """The tunnel address as a host's, as nhrpd wants it on Linux: conf/frr/spoke-ospf.conf says why."""
    for change in (f"del 10.255.0.{gateway.number}/24", f"add 10.255.0.{gateway.number} peer 10.255.0.0/24 noprefixroute"):
        world.lab.run(gateway.name, f"ip addr {change} dev nave0")


def ospf(world):
    """Hellos by multicast, that the dataplane replicates; each spoke's network through the hub, until a shortcut takes the same prefix straight; and a
    Linux spoke among nave's."""
    hub = world.nave_hub([], table=MAIN_TABLE)
    one, other = (world.nave_spoke(number, table=MAIN_TABLE, routes=None) for number in (31, 32))
    linux = world.linux_spoke(21, connection={"child": {"reqid": "7"}})
    linux_ospf(linux)
    for each in (hub, one, other):
        as_a_host(world, each)
        with_ospf(world, each, "hub" if each is hub else "spoke")
    for spoke, far in ((one, other), (other, one)):
        expect_routes(world, spoke, {f"172.16.{number}.0/24": "10.255.0.2" for number in (hub.number, far.number, linux.number)}, 30, MAIN_TABLE)
    by_hub = {f"172.16.{each.number}.0/24": "10.255.0.2" for each in (hub, one, other)}
    assert wait_until(lambda: at_linux(linux) == by_hub, 20, 0.3), at_linux(linux)
    relay_and_shortcut(world, hub, one, other)
    assert way(one, "172.16.32.0/24") == ("10.255.0.32", "shortcut"), one.rows("routes")
    assert routes(world, one, MAIN_TABLE)["172.16.32.0/24"] == "10.255.0.2"
    relay_and_shortcut(world, hub, one, linux)
    assert way(one, "172.16.21.0/24") == ("10.255.0.21", "shortcut") and "172.16.31.0/24" in at_linux(linux, "nhrp"), \
        (one.rows("routes"), at_linux(linux, "nhrp"))
    assert wait_until(lambda: hub.frr.show("bfd peers brief").count(" up") == 3, 15, 0.3), hub.frr.show("bfd peers brief")


def ospf_failover(world):
    """The hub whose cost is lower carries the traffic, then the other."""
    hub, spare, one, other, linux = two_hubs(world, table=MAIN_TABLE)
    linux_ospf(linux)
    for each, role, *cost in ((hub, "hub"), (spare, "hub", "interface nave0", " ip ospf cost 20", "exit"), (one, "spoke"), (other, "spoke")):
        as_a_host(world, each)
        with_ospf(world, each, role, *cost)
    behind = lambda *spokes: {f"172.16.{each.number}.0/24": "10.255.0.2" for each in (hub, *spokes)} | {"172.16.3.0/24": "10.255.0.3"}
    for each, far in ((one, other), (other, one)):
        expect_routes(world, each, behind(far, linux), 30, MAIN_TABLE)
    assert wait_until(lambda: at_linux(linux) == behind(one, other), 20, 0.3), at_linux(linux)
    fail_over(world, "OSPF", hub, one, other, linux, "172.16.32.0/24", MAIN_TABLE)


def in_guest(linux, daemons, text):
    """Starts daemons of FRR in a guest whose zebra and nhrpd run."""
    start = "\n".join(f"/usr/lib/frr/{daemon} -d -A 127.0.0.1 -f /dev/null -u frr -g frr --log file:/run/frr/{daemon}.log </dev/null >/dev/null 2>&1" for daemon in daemons)
    output = linux.shell(f"{start}\necho {shlex.quote(text)} >/etc/frr/more.conf; vtysh -f /etc/frr/more.conf 2>&1")
    assert not output.strip(), output


def linux_ospf(linux):
    """OSPF in a guest, by the configuration for nave's spokes. nhrpd carries its multicast to the hubs, as the kernel would send it in clear."""
    linux.shell("ip link set gre1 multicast on\niptables-legacy -A OUTPUT -o gre1 -d 224.0.0.0/24 -j NFLOG --nflog-group 2 --nflog-threshold 1\n"
                "iptables-legacy -A OUTPUT -o gre1 -d 224.0.0.0/24 -j DROP")
    text = configuration("spoke-ospf", linux.number, 2) + "\n".join([*OSPF_TIMERS, *BFD])
    in_guest(linux, ["bfdd", "ospfd"], text.replace("interface nave0", "interface gre1").replace("interface lan", "interface lan0"))


def linux_bgp(linux, *hubs):
    """bgpd in a guest whose zebra and nhrpd run: announces its network, and has the hubs' routes of one hub at a time. Without BFD: a tunnel address that is
    a host's makes bgpd ask for that of several hops, and the hubs' is of one."""
    neighbors = [f" neighbor 10.255.0.{hub.number} {what}" for hub in hubs for what in ("remote-as internal", "timers 1 3", "timers connect 1", "update-source gre1")]
    in_guest(linux, ["bgpd"], "\n".join(["router bgp 65000", f" bgp router-id 10.255.0.{linux.number}", *neighbors, " address-family ipv4 unicast",
                                         "  maximum-paths ibgp 1", f"  network 172.16.{linux.number}.0/24", " exit-address-family"]))


SCENARIOS = [
    Scenario("bgp", bgp, (RESPONDER,), wide=True),
    Scenario("bgp-next-hop-preserving", next_hop_preserving, (RESPONDER,), wide=True),
    Scenario("bgp-failover", bgp_failover, (RESPONDER,), wide=True),
    Scenario("ospf", ospf, (RESPONDER,), wide=True),
    Scenario("ospf-failover", ospf_failover, (RESPONDER,), wide=True),
]
