"""A routing daemon's full load of routes, and routes that must not be followed."""

from frr import TABLE
from lab import wait_until
from route_walk import Walker, first_host, inject, kernel_routes, prefix, start_frr

COUNT = 20000


def setup(lab):
    lab.start_all(table=TABLE)
    start_frr(lab, ("hub", "spoke1", "spoke2"))
    inject(lab, {"spoke1": range(0, COUNT, 2), "spoke2": range(1, COUNT, 2)})  # so that neighbours in the table lead apart


def injected(lab, gateway="hub"):
    """The kernel's routes of the hub that the spokes announced: prefix to gateway."""
    return {each: via for each, via in kernel_routes(lab, gateway, TABLE).items() if each.startswith("20.")}


def followed(lab, gateway="hub"):
    """The same as the hub's gateway says it."""
    return {row["prefix"]: row["via"].split()[0] for row in lab.ctl(gateway, "show", "routes") if row["source"] == "kernel" and row["prefix"].startswith("20.")}


def twenty_thousand_routes_of_bgp_lead_where_the_kernel_says(lab):
    assert wait_until(lambda: len(injected(lab)) == COUNT, 60, 0.5), f"{len(injected(lab))} routes: {lab.frr['hub'].evidence()}"
    routes = injected(lab)
    assert wait_until(lambda: followed(lab) == routes, 10, 0.5), set(followed(lab).items()) ^ set(routes.items())
    host = {"10.255.0.11": "host1", "10.255.0.12": "host2"}
    wanted = {first_host(each): host[gateway] for each, gateway in routes.items()}
    beside = [first_host(prefix(number)) for number in range(COUNT, COUNT + 256)]
    assert Walker(lab, "host0", "host1", "host2").walk([*wanted, *beside]) == wanted
    assert lab.counters("hub")["routes-refused"] == 0


def routes_that_go_are_gone_from_the_packet_path(lab):
    lab.frr["spoke1"].configure("router bgp 65000", "neighbor 10.255.0.1 shutdown")
    assert wait_until(lambda: set(injected(lab).values()) == {"10.255.0.12"}, 30, 0.5), len(injected(lab))
    assert wait_until(lambda: followed(lab) == injected(lab), 10, 0.5), len(followed(lab))
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
