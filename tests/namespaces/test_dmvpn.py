"""One DMVPN through its life: registration, relay, shortcut, the kernel's side, rekey, idleness. The cases run in order on one lab."""

import re
import threading
import time

from lab import wait_until

SETTINGS = {"child_lifetime": "25s", "shortcut_idle": "12s", "holding_time": "60s"}


def setup(lab):
    lab.start_all(**SETTINGS)


def spokes_register_tunnel_address_and_prefix_at_the_hub(lab):
    rows = lab.peers("hub")
    assert rows["spoke1.example"]["tunnel_addresses"] == ["10.255.0.11"], rows
    assert rows["spoke1.example"]["prefixes"] == ["172.16.11.0/24"], rows
    assert rows["spoke2.example"]["tunnel_addresses"] == ["10.255.0.12"], rows


def a_spoke_behind_a_nat_is_shown_with_the_nats_address(lab):
    row = lab.peers("hub")["spoke1.example"]
    assert row["nat"] == "peer" and row["nbma"].startswith("198.51.100.2:"), row


def the_spoke_with_a_dhcp_lease_is_shown_with_the_leased_address(lab):
    assert lab.peers("hub")["spoke2.example"]["nbma"].startswith("203.0.113.15"), lab.peers("hub")


def the_first_packet_between_spokes_goes_through_the_hub(lab):
    ping = lab.ping("host1", "172.16.12.10", count=1)
    assert ping.ttls == [61], ping.output


def traffic_between_spokes_goes_direct_after_the_redirect(lab):
    assert lab.shortcut(12), lab.log("spoke1")[-2000:]
    ping = lab.ping("host1", "172.16.12.10", count=10)
    assert ping.received == 10 and set(ping.ttls) == {62}, ping.output


def spoke_to_hub_traffic_stays_between_them(lab):
    ping = lab.ping("host2", "172.16.1.10", count=3)
    assert ping.received == 3 and set(ping.ttls) == {62}, ping.output


def the_gateway_answers_pings_by_the_kernel_on_its_inside_address(lab):
    assert lab.ping("host1", "172.16.11.1", count=3).received == 3


def the_gateways_tunnel_addresses_answer_across_the_tunnel(lab):
    assert lab.ping("host1", "10.255.0.1", count=3).received == 3
    assert lab.ping("host0", "10.255.0.12", count=3).received == 3


def the_gateways_own_kernel_reaches_the_overlay_through_the_tun_twin(lab):
    assert lab.ping("spoke1", "10.255.0.1", count=3).received == 3
    assert lab.ping("hub", "172.16.12.10", count=3, options="-I 10.255.0.1").received == 3


def a_packet_with_df_that_is_too_long_is_answered_with_the_tunnels_mtu(lab):
    lab.run("host1", "ip route flush cache", check=False)
    ping = lab.ping("host1", "172.16.12.10", count=2, options="-M do -s 1472")
    assert ping.received == 0 and re.search(r"mtu.?=? ?1400", ping.output), ping.output
    lab.run("host1", "ip route flush cache", check=False)


def a_long_packet_without_df_is_fragmented_and_arrives(lab):
    assert lab.ping("host1", "172.16.12.10", count=3, options="-M dont -s 3000").received == 3


def a_packet_whose_ttl_ends_at_the_gateway_is_answered_by_it(lab):
    ping = lab.ping("host1", "172.16.12.10", count=1, options="-t 1")
    assert "Time to live exceeded" in ping.output and "172.16.11.1" in ping.output, ping.output


def a_host_without_route_is_not_reached_and_the_drop_is_counted(lab):
    before = sum(lab.drops("spoke1").get(name, 0) for name in ("no-route", "route-rejected"))
    lab.ping("host1", "192.0.2.1", count=2)
    assert sum(lab.drops("spoke1").get(name, 0) for name in ("no-route", "route-rejected")) > before, lab.drops("spoke1")


def tcp_carries_a_megabyte_each_way_unchanged(lab):
    lab.echoes_tcp("host1", "host2", "172.16.12.10")


def a_multicast_of_the_hub_reaches_every_spokes_twin(lab):
    listeners = {name: lab.start(name, "timeout 6 tcpdump -c 1 -nni nave0 dst 224.0.0.5", f"multicast-{name}.log") for name in ("spoke1", "spoke2")}
    time.sleep(1)
    lab.run("hub", "ping -c 3 -i 0.3 -W 1 -t 1 -I nave0 224.0.0.5", check=False)
    for name, listener in listeners.items():
        assert listener.wait(timeout=8) == 0, lab.log(f"multicast-{name}")


def show_commands_answer_as_tables_and_as_data(lab):
    for what in ("peers", "nhrp", "ike", "sas", "routes", "ports", "drops", "stages"):
        assert lab.ctl("spoke1", "show", what) is not None, what
    row = lab.peers("spoke1")["spoke2.example"]
    assert row["path"] == "direct" and row["packets_out"] > 0 and row["packets_in"] > 0, row


def the_inside_lives_in_a_table_of_its_own(lab):
    main, inside = lab.run("spoke1", "ip route show table main"), lab.run("spoke1", "ip route show table 1000")
    assert "default via 192.168.1.1" in main and "172.16" not in main.replace("172.16.11.0/24", ""), main
    assert "172.16.0.0/16" in inside and "192.168.1.1" not in inside, inside


def a_route_that_is_added_with_ip_route_is_followed_and_one_that_is_removed_is_not(lab):
    lab.run("host2", "ip addr add 172.16.77.1/32 dev lo")
    lab.run("spoke2", "ip route add 172.16.77.0/24 via 172.16.12.10 table 1000")
    lab.run("hub", "ip route add 172.16.77.0/24 via 10.255.0.12 dev nave0 onlink table 1000")
    assert wait_until(lambda: lab.ping("host0", "172.16.77.1", count=1).received, 5), {name: lab.drops(name) for name in ("hub", "spoke2")}
    lab.run("hub", "ip route del 172.16.77.0/24 table 1000")
    assert wait_until(lambda: not lab.ping("host0", "172.16.77.1", count=1).received, 5)


def a_rekey_under_traffic_loses_nothing(lab):
    spis = lambda: {row["spi"] for row in lab.ctl("spoke1", "show", "sas") or [] if row["direction"] == "in"}
    lab.ping("host1", "172.16.12.10", count=2)
    before = spis()
    ping = []
    flood = threading.Thread(target=lambda: ping.append(lab.ping("host1", "172.16.12.10", count=1000, interval=0.03)))
    flood.start()
    flood.join()
    assert len(spis() - before) >= 2, (before, spis())
    assert ping[0].received == ping[0].sent == 1000, ping[0].output[-300:]


def an_unused_shortcut_goes_away_and_traffic_is_back_on_the_hub(lab):
    assert wait_until(lambda: not lab.direct("spoke1", "spoke2.example"), 45, 1), lab.peers("spoke1")
    assert lab.ping("host1", "172.16.12.10", count=1).ttls == [61]


def clear_peer_closes_it_and_it_comes_back(lab):
    answer = lab.ctl("hub", "clear", "peer", "spoke2.example")
    assert answer is not None
    assert wait_until(lab.registered, 15), lab.log("spoke2")[-2000:]


def garbage_on_the_ike_ports_changes_nothing(lab):
    script = ("import socket,os;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
              "for n in range(400): s.sendto(os.urandom(n), ('192.0.2.1', 500 if n % 2 else 4500))")
    lab.run("wan", ["python3", "-c", script])
    assert lab.ping("host1", "172.16.1.10", count=3).received == 3
    assert lab.drops("hub").get("esp-unknown-spi", 0) > 0, lab.drops("hub")


def gre_in_clear_is_dropped_by_name_and_never_forwarded(lab):
    script = ("import socket;s=socket.socket(socket.AF_INET,socket.SOCK_RAW,47)\n"
              "ip=bytes.fromhex('45000054000040004001')+bytes(2)+socket.inet_aton('172.16.11.10')+socket.inet_aton('172.16.1.10')+bytes(64)\n"
              "for n in range(20): s.sendto(bytes.fromhex('200008000000002a')+ip, ('192.0.2.1', 0))")
    before = lab.drops("hub").get("gre-in-clear", 0)
    lab.run("wan", ["python3", "-c", script])
    assert wait_until(lambda: lab.drops("hub").get("gre-in-clear", 0) >= before + 20, 5), lab.drops("hub")


def a_nat_that_forgets_its_mapping_is_followed(lab):
    lab.run("nat", "nft flush ruleset")
    lab.run("nat", ["nft", "add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; }; "
                           "add rule ip nat post oifname out udp sport 4500 masquerade to :30000-30999; add rule ip nat post oifname out masquerade"])
    lab.run("nat", ["sh", "-c", "ip link set out down; ip link set out up; ip route add default via 198.51.100.254"], check=False)
    assert wait_until(lambda: lab.ping("host1", "172.16.1.10", count=1).received, 20), lab.log("hub")[-2000:]


def no_packet_of_the_overlay_was_ever_in_clear_on_the_wire(lab):
    seen = lab.wire()
    # The case above sends its own clear GRE from the router itself, which does not pass the router's forward path.
    assert seen["clear_gre"] == 0 and seen["clear_inner"] == 0 and seen["esp_in_udp"] > 100, seen


def a_gateway_that_is_stopped_leaves_no_twin_rule_or_route(lab):
    assert lab.stop("spoke2") == 0, lab.log("spoke2")[-1500:]
    assert "nave0" not in lab.run("spoke2", "ip -br link")
    assert "1000" not in lab.run("spoke2", "ip rule") and not lab.run("spoke2", "ip route show table 1000", check=False).strip().replace("Error: ipv4: FIB table does not exist.\nDump terminated", "")
    assert wait_until(lambda: "spoke2.example" not in lab.peers("hub"), 10), lab.peers("hub")
