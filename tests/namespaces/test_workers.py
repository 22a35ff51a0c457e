"""Gateways of two workers each: SAs of each worker, and packets that come in at one and belong to the other."""

from lab import wait_until

WORKERS = 2


def setup(lab):
    lab.start_all(each={name: {"workers": WORKERS} for name in ("hub", "spoke1", "spoke2")})


def owners(lab, gateway, identity):
    """Workers that have an outbound SA with that peer; None stands for the one of all."""
    return {row["worker"] for row in lab.ctl(gateway, "show", "sas") or [] if row["identity"] == identity and row["direction"] == "out"}


def used(lab, gateway, identity, direction):
    return {row["worker"] for row in lab.ctl(gateway, "show", "sas") if row["identity"] == identity and row["direction"] == direction and row["packets"] > 3}


def each_worker_has_sas_of_its_own_with_each_peer(lab):
    everyone = {None, *range(WORKERS)}
    for gateway, peer in (("hub", "spoke1"), ("hub", "spoke2"), ("spoke1", "hub"), ("spoke2", "hub")):
        assert wait_until(lambda: owners(lab, gateway, f"{peer}.example") == everyone, 15), (gateway, peer, lab.ctl(gateway, "show", "sas"))


def many_flows_pass_and_each_worker_sends_under_its_own_sa(lab):
    lab.start("host0", "iperf3 -s -1 --forceflush", "iperf-server.log")
    assert wait_until(lambda: "listening" in lab.log("iperf-server"), 5)
    lab.run("host1", "iperf3 -c 172.16.1.10 -P 12 -t 3 -b 2M", timeout=30)
    assert wait_until(lambda: used(lab, "spoke1", "hub.example", "out") >= {0, 1}, 5), lab.ctl("spoke1", "show", "sas")
    assert wait_until(lambda: used(lab, "hub", "spoke1.example", "in") >= {0, 1}, 5), lab.ctl("hub", "show", "sas")


def small_and_large_packets_arrive_from_every_worker(lab):
    for host in ("host1", "host2"):
        for size in (16, 100, 1372, 3000):
            ping = lab.ping(host, "172.16.1.10", count=5, interval=0.05, options=f"-M dont -s {size}")
            assert ping.received == 5, (host, size, ping.output, lab.drops("hub"))


def a_shortcut_has_them_as_well(lab):
    assert lab.shortcut(12), lab.log("spoke1")[-2000:]
    assert wait_until(lambda: owners(lab, "spoke1", "spoke2.example") >= {None, 0, 1}, 20), lab.ctl("spoke1", "show", "sas")
    ping = lab.ping("host1", "172.16.12.10", count=20, interval=0.05)
    assert ping.received == 20 and set(ping.ttls) == {62}, ping.output


def a_restarted_spoke_comes_back_with_all_of_them(lab):
    lab.stop("spoke1")
    lab.gateway("spoke1", workers=WORKERS)
    assert wait_until(lambda: owners(lab, "hub", "spoke1.example") == {None, 0, 1}, 20), lab.ctl("hub", "show", "sas")
    assert lab.ping("host1", "172.16.1.10", count=5).received == 5


def nothing_is_in_clear_and_nothing_was_damaged(lab):
    for name in ("hub", "spoke1", "spoke2"):
        assert not {reason: count for reason, count in lab.drops(name).items() if reason in ("esp-bad-icv", "esp-replayed") and count}, lab.drops(name)
    seen = lab.wire()
    assert seen["clear_gre"] == 0 and seen["clear_inner"] == 0 and seen["esp"] + seen["esp_in_udp"] > 50, seen
