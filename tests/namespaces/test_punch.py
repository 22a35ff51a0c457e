"""Two spokes behind two NATs: a direct path where the NATs keep a port towards everybody, the hub where they do not, and no packet lost either way.

 host1 -- spoke1 -- nat  --.
                            wan -- hub
 host2 -- spoke2 -- nat2 --'
"""

import threading
import time

from lab import wait_until

TUNNEL_ADDRESS = {"spoke1": "10.255.0.11", "spoke2": "10.255.0.12"}
OTHER = {"spoke1": "spoke2", "spoke2": "spoke1"}


def set_nats(lab, way):
    """Both NATs translate in that way, and let in only what answers something that went out to that very address and port. What comes
    before is dropped, as by any home router's firewall: were it answered, Linux would remember it and give the spoke another port towards there."""
    for name, gateway in (("nat", "198.51.100.254"), ("nat2", "203.0.113.254")):
        lab.run(name, ["nft", "flush ruleset; add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; }; "
                              f"add rule ip nat post oifname out {way}; "
                              "add chain ip nat door { type filter hook input priority 0; }; add rule ip nat door iifname out ct state new drop"])
        lab.run(name, ["sh", "-c", f"ip link set out down && ip link set out up && ip route replace default via {gateway}"])  # forgets the mappings


def start_spokes(lab, way):
    set_nats(lab, way)
    lab.gateway("spoke1")
    wan = '[port.wan]\ndevice = "af_packet:eth0"\n'
    text = lab.configuration("spoke2")
    assert wan in text
    lab.gateway("spoke2", text.replace(wan, wan + 'address = "192.168.2.2/24"\ngateway = "192.168.2.1"\n'))
    assert wait_until(lab.registered, 20, 0.2), "\n".join(lab.log(name)[-2000:] for name in lab.gateways)


def setup(lab):
    lab.underlay()
    lab.namespace("nat2")
    lab.run("wan", "ip link del w-spoke2")
    lab.link("nat2", "out", "wan", "w-spoke2")
    lab.link("spoke2", "eth0", "nat2", "in")
    lab.run("wan", "ip addr add 203.0.113.254/24 dev w-spoke2")
    lab.run("nat2", "ip addr add 203.0.113.2/24 dev out")
    lab.run("nat2", "ip addr add 192.168.2.1/24 dev in")
    lab.run("nat2", "ip route add default via 203.0.113.254")
    lab.run("nat2", "sysctl -qw net.ipv4.ip_forward=1")
    lab.gateway("hub")
    start_spokes(lab, "masquerade")


def row(lab, name):
    """What a spoke shows of the other one, which has no identity before it is a peer."""
    rows = lab.ctl(name, "show", "peers") or []
    return next((each for each in rows if TUNNEL_ADDRESS[OTHER[name]] in each["tunnel_addresses"]), {"path": "none"})


def ping_and_watch(lab, seconds):
    """Pings 100 times a second from host to host; gives the ping and the paths that spoke1 showed, in order."""
    pings, paths = [], []
    sender = threading.Thread(target=lambda: pings.append(lab.ping("host1", "172.16.12.10", count=seconds * 100, interval=0.01)))
    sender.start()
    while sender.is_alive():
        path = row(lab, "spoke1")["path"]
        if not paths or paths[-1] != path:
            paths.append(path)
        time.sleep(0.1)
    return pings[0], paths


def spokes_behind_two_cone_nats_come_to_a_direct_path_and_no_packet_is_lost(lab):
    assert {each["nat"] for each in lab.peers("hub").values()} == {"peer"}, lab.peers("hub")
    ping, paths = ping_and_watch(lab, 5)
    assert ping.received == ping.sent == 500, (ping.output[-300:], paths, lab.log("spoke1")[-1500:])
    assert ping.ttls[0] == 61 and ping.ttls[-1] == 62, (paths, lab.log("spoke1")[-1500:], lab.log("spoke2")[-1500:])
    assert "punching" in paths and paths[-1] == "direct", paths


def the_path_through_both_nats_is_shown_at_both_ends(lab):
    for name, nbma in (("spoke1", "203.0.113.2:4500"), ("spoke2", "198.51.100.2:4500")):
        shown = row(lab, name)
        assert (shown["path"], shown["nat"], shown["nbma"]) == ("direct", "both", nbma), shown


def behind_symmetric_nats_traffic_stays_on_the_hub_and_no_packet_is_lost(lab):
    for name in ("spoke1", "spoke2"):
        assert lab.stop(name) == 0, lab.log(name)[-1500:]
    start_spokes(lab, "masquerade fully-random")
    ping, paths = ping_and_watch(lab, 6)
    assert ping.received == ping.sent == 600, (ping.output[-300:], paths, lab.log("spoke1")[-1500:])
    assert set(ping.ttls) == {61}, (paths, lab.log("spoke1")[-1500:])
    assert "punching" in paths and "direct" not in paths, paths


def that_the_nats_let_nothing_through_is_shown_and_logged(lab):
    assert wait_until(lambda: row(lab, "spoke1")["path"] == "nat-blocked", 10, 0.2), (row(lab, "spoke1"), lab.log("spoke1")[-1500:])
    assert "the NATs let nothing through" in lab.log("spoke1")
