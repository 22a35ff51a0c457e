"""Two hubs that share four spokes: the first sends the later ones on by IKEv2 redirect, and they tell each other whom they have.

spoke1 and spoke3 take shortcuts, the others stay on the hubs.
"""

import hubs_network
from hubs_network import HUBS, SPOKES
from lab import PSK, wait_until

TAKEN_BY_FIRST = 2


def configuration(lab, name):
    """Of a hub or a spoke by its name."""
    number = {"hub": 1, "hub2": 2}.get(name) or 10 + int(name[-1])
    block = hubs_network.block_of(name)
    ports = {"wan": {"device": "af_packet:eth0", "address": f"{block}.1/24", "gateway": f"{block}.254"}}
    tunnel = {"underlay": "wan", "address": f"10.255.0.{number}/24", "key": 42, "psk": f'[{{ identity = "*.example", key = "{PSK}" }}]'}
    other = next(hub for hub in HUBS if hub != name)
    if name in HUBS:
        tunnel |= {"identity": f"{name}.hubs.example", "relay": True, "access": '[{ identity = "*.spokes.example", prefixes = ["172.16.0.0/16"] }]',
                   "hub": f'[{{ address = "{HUBS[other]}.1", identity = "{other}.hubs.example" }}]'}
    else:
        ports["lan"] = {"device": "af_packet:lan0", "address": f"172.16.{number}.1/24", "tunnel": "nave0"}
        tunnel |= {"identity": f"{name}.spokes.example", "routes": '["172.16.0.0/16"]', "shortcut": name in ("spoke1", "spoke3"),
                   "hub": '[{ address = "192.0.2.1", identity = "*.hubs.example", redirects = ["192.0.2.0/23"] }]'}
    ike = f'[ike]\nredirect_to = ["192.0.3.1"]\nredirect_from_established = {1 + TAKEN_BY_FIRST}\n' if name == "hub" else ""
    return lab.render(name, ports, tunnel) + ike


def spokes_at(lab, hub):
    return {int(identity[5]) for identity, row in lab.peers(hub).items() if identity.startswith("spoke") and row["tunnel_addresses"]}


def associations(lab, hub):
    """Those that count; of an attempt that its initiator gave up the responder keeps the half until that expires."""
    return sum(row["state"] == "established" for row in lab.ctl(hub, "show", "ike") or [])


def setup(lab):
    hubs_network.build(lab)
    for hub in HUBS:
        lab.gateway(hub, configuration(lab, hub))
    # Both began, and of two associations one goes; it must not count among those that the first hub takes.
    assert wait_until(lambda: all(associations(lab, hub) == 1 and lab.peers(hub) for hub in HUBS), 30, 0.2), lab.log("hub")[-2000:]
    for each in SPOKES:
        lab.gateway(f"spoke{each}", configuration(lab, f"spoke{each}"))
        assert wait_until(lambda: each in spokes_at(lab, "hub") | spokes_at(lab, "hub2"), 15, 0.2), lab.log(f"spoke{each}")[-2000:]


def a_hub_that_has_enough_sends_spokes_to_the_other(lab):
    assert (spokes_at(lab, "hub"), spokes_at(lab, "hub2")) == ({1, 2}, {3, 4}), (spokes_at(lab, "hub"), spokes_at(lab, "hub2"))


def spokes_of_different_hubs_reach_each_other_through_both(lab):
    assert wait_until(lambda: lab.ping("host2", "172.16.14.10", count=1).received, 10)
    there, back = lab.ping("host2", "172.16.14.10", count=5), lab.ping("host4", "172.16.12.10", count=5)
    # Four gateways: both spokes and both hubs.
    assert (there.received, back.received, set(there.ttls + back.ttls)) == (5, 5, {60}), (there.output, back.output)


def their_shortcut_comes_up_and_loses_nothing(lab):
    first = lab.ping("host1", "172.16.13.10", count=20, interval=0.1)
    assert wait_until(lambda: lab.direct("spoke1", "spoke3.spokes.example"), 15), lab.log("spoke1")[-2500:]
    later = lab.ping("host1", "172.16.13.10", count=5)
    assert (first.received, later.received, set(later.ttls)) == (20, 5, {62}), (first.output, later.output)


def a_hub_shows_what_is_behind_the_other(lab):
    row = next(row for row in lab.ctl("hub", "show", "routes") if row["prefix"] == "172.16.14.0/24")
    assert row["source"] == "behind-hub" and "hub2.hubs.example" in row["via"], row
    assert "172.16.14.0/24 via 10.255.0.2" in lab.run("hub", "ip route show table 1000")
    entry = next(row for row in lab.ctl("hub", "show", "nhrp") if row["prefix"] == "172.16.14.0/24")
    assert (entry["kind"], entry["peer"], entry["tunnel_address"]) == ("behind-hub", "spoke4.spokes.example", "10.255.0.2"), entry


def a_spoke_that_leaves_is_known_to_be_gone_at_both(lab):
    lab.stop("spoke4")
    assert wait_until(lambda: not any(row["prefix"] == "172.16.14.0/24" for row in lab.ctl("hub", "show", "routes")), 5), lab.ctl("hub", "show", "routes")
