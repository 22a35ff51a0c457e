"""A DMVPN whose ESP is AES-CBC with HMAC-SHA2: one spoke with extended sequence numbers behind a NAT, one without."""

from lab import wait_until

STRONG, PLAIN = "aes-cbc-256/sha256/esn", "aes-cbc-128/sha256/no-esn"


def setup(lab):
    lab.start_all(each={"hub": {"esp_proposals": f'["{STRONG}", "{PLAIN}"]'}, "spoke1": {"esp_proposals": f'["{STRONG}", "{PLAIN}"]'},
                        "spoke2": {"esp_proposals": f'["{PLAIN}"]'}})


def suites(lab, gateway, identity):
    return {(row["proposal"], row["esn"]) for row in lab.ctl(gateway, "show", "sas") if row["identity"] == identity}


def each_spoke_has_the_first_suite_that_it_and_the_hub_know(lab):
    assert suites(lab, "hub", "spoke1.example") == {(STRONG, True)}, lab.ctl("hub", "show", "sas")
    assert suites(lab, "hub", "spoke2.example") == {(PLAIN, False)}, lab.ctl("hub", "show", "sas")


def packets_of_every_length_arrive_with_and_without_extended_numbers(lab):
    for host in ("host1", "host2"):
        for size in (0, 1, 7, 8, 9, 15, 16, 100, 1372, 3000):
            ping = lab.ping(host, "172.16.1.10", count=2, interval=0.05, options=f"-M dont -s {size}")
            assert ping.received == 2, (host, size, ping.output, lab.drops("hub"))


def the_spokes_make_a_shortcut_with_the_suite_that_both_know(lab):
    assert lab.shortcut(12), lab.log("spoke1")[-2000:]
    assert suites(lab, "spoke1", "spoke2.example") == {(PLAIN, False)}, lab.ctl("spoke1", "show", "sas")
    ping = lab.ping("host1", "172.16.12.10", count=10, interval=0.05)
    assert ping.received == 10 and set(ping.ttls) == {62}, ping.output


def a_multicast_of_the_hub_is_copied_to_every_spoke(lab):
    listeners = {name: lab.start(name, "timeout 6 tcpdump -c 1 -nni nave0 dst 224.0.0.5", f"multicast-{name}.log") for name in ("spoke1", "spoke2")}
    assert wait_until(lambda: all("listening on" in lab.log(f"multicast-{name}") for name in listeners), 5)
    lab.run("hub", "ping -c 3 -i 0.3 -W 1 -t 1 -I nave0 224.0.0.5", check=False)
    for name, listener in listeners.items():
        assert listener.wait(timeout=8) == 0, lab.log(f"multicast-{name}")


def nothing_failed_to_open_and_nothing_was_in_clear(lab):
    for name in ("hub", "spoke1", "spoke2"):
        assert not {reason: count for reason, count in lab.drops(name).items() if reason.startswith("esp-") and reason != "esp-unknown-spi" and count}, lab.drops(name)
    seen = lab.wire()
    assert seen["clear_gre"] == 0 and seen["clear_inner"] == 0 and seen["esp"] + seen["esp_in_udp"] > 50, seen


def a_spoke_that_was_told_of_aeads_only_is_refused(lab):
    lab.stop("spoke1")
    lab.gateway("spoke1")
    assert wait_until(lambda: lab.counters("hub").get("ike-NO_PROPOSAL_CHOSEN", 0) > 0 and f"we accept {STRONG}" in lab.log("hub"), 10), lab.log("hub")[-2000:]
