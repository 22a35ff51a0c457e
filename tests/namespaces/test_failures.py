"""What breaks while a DMVPN runs: hub and spoke killed, addresses that change."""

import time

from lab import wait_until

SETTINGS = {"liveness_interval": "4s", "holding_time": "30s"}


def setup(lab):
    lab.start_all(**SETTINGS)


def a_killed_hub_is_back_with_both_spokes_within_15_seconds(lab):
    lab.kill("hub")
    time.sleep(1)
    started = time.monotonic()
    lab.gateway("hub", **SETTINGS)
    back = wait_until(lambda: lab.registered() and lab.ping("host1", "172.16.1.10", count=1).received
                      and lab.ping("host2", "172.16.1.10", count=1).received, 25, 0.2)
    assert back and time.monotonic() - started < 15, (time.monotonic() - started, lab.log("spoke1")[-2000:])


def a_killed_hub_does_not_disturb_a_shortcut_that_is_up(lab):
    assert lab.shortcut(15), lab.log("spoke1")[-2000:]
    lab.kill("hub")
    ping = lab.ping("host1", "172.16.12.10", count=15)
    assert ping.received == 15, ping.output
    lab.gateway("hub", **SETTINGS)
    assert wait_until(lab.registered, 20), lab.log("hub")[-2000:]


def a_killed_spoke_is_noticed_and_traffic_leaves_the_dead_shortcut(lab):
    assert lab.shortcut(15)
    lab.kill("spoke2")
    lab.ping("host1", "172.16.12.10", count=3)
    assert wait_until(lambda: not lab.direct("spoke1", "spoke2.example"), 45, 0.5), lab.peers("spoke1")


def a_restarted_spoke_is_reached_again(lab):
    lab.gateway("spoke2", **SETTINGS)
    wait_until(lambda: "wan" in lab.run("spoke2", "ip -br link", check=False), 10)
    lab.dhcp_client("spoke2", "wan")
    assert wait_until(lambda: lab.ping("host1", "172.16.12.10", count=1).received, 30), lab.log("spoke2")[-2000:]


def a_spoke_whose_address_changes_comes_back_by_itself(lab):
    before = lab.peers("hub")["spoke2.example"]["nbma"]
    lab.run("spoke2", "ip addr flush dev wan")
    lab.run("spoke2", "ip addr add 203.0.113.77/24 dev wan")
    lab.run("spoke2", "ip route add default via 203.0.113.254")
    assert wait_until(lambda: lab.peers("hub").get("spoke2.example", {}).get("nbma", before).startswith("203.0.113.77"), 20), lab.log("spoke2")[-2000:]
    assert wait_until(lambda: lab.ping("host2", "172.16.1.10", count=1).received, 10)


def nothing_was_ever_in_clear_on_the_wire(lab):
    seen = lab.wire()
    assert seen["clear_gre"] == 0 and seen["clear_inner"] == 0, seen
