"""IPv6: each mix of IP versions inside and outside leads the life that test_dmvpn.py shows of IPv4, and both underlays meet in one cloud."""

from both_versions import inbound_spis, leads_its_life, network, start
from lab import Mix


def setup(lab):
    network(lab)


def ipv6_over_ipv4_and_a_nat(lab):
    leads_its_life(lab, Mix(6, 4))


def ipv4_over_ipv6(lab):
    leads_its_life(lab, Mix(4, 6))


def ipv6_over_ipv6_in_udp(lab):
    leads_its_life(lab, Mix(6, 6), force_encapsulation=True)


def spokes_of_both_underlays_share_a_cloud_and_stay_on_the_hub(lab):
    start(lab, {"hub": Mix(6, 4), "spoke1": Mix(6, 4), "spoke2": Mix(6, 6)})
    ping = lab.ping("host1", Mix(6).host(12), count=100, interval=0.05)
    assert ping.received == 100 and set(ping.ttls) == {61}, ping.output[-500:]
    for name in ("spoke1", "spoke2"):
        assert len(lab.ctl(name, "show", "ike")) == 1 and len(inbound_spis(lab, name)) <= 2, lab.ctl(name, "show", "ike")
        assert lab.counters(name)["nhrp-resolutions-refused"] == 1, lab.counters(name)


def nothing_was_ever_in_clear_on_the_wire(lab):
    seen = lab.wire("ip6")
    assert seen["clear_gre"] == seen["clear_inner"] == 0 and seen["esp"] > 600 and seen["esp_in_udp"] > 600, seen
    assert lab.wire()["clear_gre"] == lab.wire()["clear_inner"] == 0, lab.wire()
