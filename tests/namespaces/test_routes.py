"""A routing daemon's full load of routes, and routes that must not be followed."""

from frr import TABLE, Frr, configuration
from lab import wait_until
from route_walk import Walker, first_host, kernel_routes

COUNT = 20000
NUMBERS = {"hub": 1, "spoke1": 11, "spoke2": 12}
HUB = ["ip prefix-list SPOKES permit 20.0.0.0/8 ge 24", "router bgp 65000", " address-family ipv4 unicast", "  neighbor spokes maximum-prefix 50000"]


def prefix(number):
    return f"20.{number // 256}.{number % 256}.0/24"


def networks(numbers):
    return ["router bgp 65000", " no bgp network import-check", " address-family ipv4 unicast", *(f"  network {prefix(number)}" for number in numbers)]


def start_frr(lab, name, changes):
    role = "hub" if name == "hub" else "spoke"
    return Frr(lab, name, configuration(f"{role}-bgp", NUMBERS[name], NUMBERS["hub"]), ["bgpd", "bfdd"], changes)


def setup(lab):
    lab.start_all(table=TABLE)
    for name in ("spoke1", "spoke2"):
        lab.run(name, f"ip route add 20.0.0.0/8 via 172.16.{NUMBERS[name]}.10 dev lan table {TABLE}")
    lab.frr = {"hub": start_frr(lab, "hub", HUB)}
    # Each spoke has every other prefix, so that neighbours in the table lead apart.
    for offset, name in enumerate(("spoke1", "spoke2")):
        lab.frr[name] = start_frr(lab, name, networks(range(offset, COUNT, 2)))


def twenty_thousand_routes_of_bgp_lead_where_the_kernel_says(lab):
    assert wait_until(lambda: len(kernel_routes(lab, "hub", TABLE)) == COUNT, 60, 0.5), f"{len(kernel_routes(lab, 'hub', TABLE))} routes: {lab.frr['hub'].evidence()}"
    routes = kernel_routes(lab, "hub", TABLE)
    host = {"10.255.0.11": "host1", "10.255.0.12": "host2"}
    assert wait_until(lambda: {row["prefix"]: row["via"].split()[0] for row in lab.ctl("hub", "show", "routes") if row["source"] == "kernel"} == routes, 10, 0.5)
    wanted = {first_host(each): host[gateway] for each, gateway in routes.items()}
    beside = [first_host(prefix(number)) for number in range(COUNT, COUNT + 256)]
    assert Walker(lab, "host0", "host1", "host2").walk([*wanted, *beside]) == wanted
    assert lab.counters("hub")["routes-refused"] == 0


def routes_that_go_are_gone_from_the_packet_path(lab):
    lab.frr["spoke1"].configure("router bgp 65000", "neighbor 10.255.0.1 shutdown")
    assert wait_until(lambda: set(kernel_routes(lab, "hub", TABLE).values()) == {"10.255.0.12"}, 30, 0.5)
    routes = kernel_routes(lab, "hub", TABLE)
    assert wait_until(lambda: {row["prefix"] for row in lab.ctl("hub", "show", "routes") if row["source"] == "kernel"} == routes.keys(), 10, 0.5)
    some = {first_host(prefix(number)): "host2" for number in range(1, COUNT, 100)}
    gone = [first_host(prefix(number)) for number in range(0, COUNT, 100)]
    assert Walker(lab, "host0", "host1", "host2").walk([*some, *gone]) == some


def a_route_that_leads_the_underlay_into_the_overlay_is_refused_by_name(lab):
    """The hub announces the network of its own underlay port, as `redistribute connected` without a filter does."""
    lab.frr["hub"].configure("route-map INSIDE permit 20", "match interface wan")
    assert wait_until(lambda: "192.0.2.0/24" in kernel_routes(lab, "spoke2", TABLE), 20)
    said = "refused the route 192.0.2.0/24 via 10.255.0.1 in table 100: it leads the underlay address 192.0.2.1 of a peer into the tunnel"
    assert wait_until(lambda: said in lab.log("spoke2"), 5), lab.log("spoke2")[-1000:]
    assert "192.0.2.0/24" not in {row["prefix"] for row in lab.ctl("spoke2", "show", "routes")}
    lab.run("spoke2", "ip route add 192.0.2.1/32 dev nave0")
    assert wait_until(lambda: "refused the route 192.0.2.1/32 in table 254" in lab.log("spoke2"), 5), lab.log("spoke2")[-1000:]
    assert lab.ping("host2", "172.16.1.10", count=3).ttls == [62] * 3
