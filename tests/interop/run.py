#!/usr/bin/env python3
"""Runs nave against peers that we did not write: strongSwan, FRR nhrpd and Linux's own GRE and ESP, in user-mode-linux guests."""

import os
import re
import sys
import time
import traceback

from guests import GuestLab, wait_until


def configuration(lab, name, number, hubs, **tunnel):
    """A nave gateway at 192.0.2.NUMBER with tunnel address 10.255.0.NUMBER and LAN 172.16.NUMBER.0/24."""
    text = lab.configuration("hub", address=f"10.255.0.{number}/24", **tunnel).replace("hub.example", "frrhub.example")
    text = text.replace('identity = "frrhub.example"\n', f'identity = "{name}.example"\n')
    text = text.replace('"192.0.2.1/24"', f'"192.0.2.{number}/24"').replace('gateway = "192.0.2.254"\n', "").replace("172.16.1.1", f"172.16.{number}.1")
    text = text.replace('name = "hub"', f'name = "{name}"').replace("hub.sock", f"{name}.sock")
    if hubs:
        text += 'hub = [{ address = "192.0.2.1", identity = "frrhub.example" }]\nroutes = ["172.16.0.0/16"]\n'
    return text


def start_nave(lab, name, number, hubs=False, **tunnel):
    lab.nave_site(name, number)
    lab.gateway(name, text=configuration(lab, name, number, hubs, **tunnel))
    assert wait_until(lambda: lab.ctl(name, "show", "peers") is not None, 10), lab.log(name)


SPOKE_ROUTES = ["172.16.0.0/16 10.255.0.1", "10.255.0.0/24 10.255.0.1"]
GCM = ["aes-gcm-256/no-esn/p384", "aes-gcm-256/no-esn"]


def suites(*proposals):
    """A value of esp_proposals: these before strongSwan's AES-GCM."""
    return str([*proposals, *GCM]).replace("'", '"')


def proposals_with(lab, gateway, identity):
    return {row["proposal"] for row in lab.ctl(gateway, "show", "sas") if row["identity"] == identity}


class NaveHub:
    """A nave hub with two all-Linux spokes, one of which prefers AES-CBC with HMAC and extended sequence numbers."""

    def setup(self, lab):
        start_nave(lab, "navehub", 1, esp_proposals=suites("aes-cbc-128/sha256/esn"))
        lab.guest("frr21", 21, routes=SPOKE_ROUTES)
        lab.guest("frr22", 22, routes=SPOKE_ROUTES, esp="aes128-sha256-esn,aes256gcm16-ecp384")
        for number in (21, 22):
            lab.run("navehub", f"ip route add 172.16.{number}.0/24 via 10.255.0.{number} dev nave0 onlink table 1000")
        for number in (21, 22):
            lab.guest_ready(f"frr{number}")

    def frr_spokes_register_over_strongswan(self, lab):
        def both():
            rows = lab.peers("navehub")
            return all(rows.get(f"frr{number}.example", {}).get("tunnel_addresses") == [f"10.255.0.{number}"] for number in (21, 22))
        assert wait_until(both, 40, 0.5), (lab.peers("navehub"), lab.charon_log("frr21")[-1500:])

    def a_host_behind_an_frr_spoke_reaches_a_host_behind_the_nave_hub(self, lab):
        assert wait_until(lambda: lab.guest_ping("frr21", "172.16.1.10", 3) == [62, 62, 62], 10), lab.drops("navehub")
        ping = lab.ping("host-navehub", "172.16.22.10")
        assert ping.received == 5, ping.output

    def linux_and_nave_speak_cbc_and_hmac_with_extended_numbers(self, lab):
        assert proposals_with(lab, "navehub", "frr22.example") == {"aes-cbc-128/sha256/esn"}, lab.ctl("navehub", "show", "sas")
        assert "hmac(sha256)" in lab.inside("frr22", "ip xfrm state"), lab.inside("frr22", "ip xfrm state")
        assert lab.guest_ping("frr22", "172.16.1.10", 3) == [62, 62, 62], lab.drops("navehub")

    def strongswan_rekeys_child_and_ike_sa_without_loss(self, lab):
        lab.start("host-navehub", "ping -n -i 0.1 -c 80 172.16.21.10", "rekey.log")
        time.sleep(1)
        for kind in ("child", "ike"):
            assert "completed successfully" in lab.inside("frr21", f"swanctl --rekey --{kind} dmvpn 2>/dev/null"), lab.charon_log("frr21")[-1500:]
            time.sleep(2)
        assert wait_until(lambda: "80 packets transmitted" in lab.log("rekey"), 15)
        assert "80 received" in lab.log("rekey"), lab.log("rekey")[-300:]

    def frr_spokes_make_a_shortcut_on_the_nave_hubs_indication(self, lab):
        ttls = lab.guest_ping("frr21", "172.16.22.10", 20)
        assert 61 in ttls and ttls[-1] == 62, (ttls, lab.counters("navehub"))


class NaveSpoke:
    """A nave spoke and an all-Linux spoke at an all-Linux hub."""

    def setup(self, lab):
        lab.guest("frrhub", 1, hub=True, routes=["172.16.21.0/24 10.255.0.21", "172.16.31.0/24 10.255.0.31"])
        lab.guest("frr21", 21, routes=SPOKE_ROUTES, esp="aes256-sha512,aes256gcm16-ecp384")
        start_nave(lab, "navespoke", 31, hubs=True, child_lifetime="20s", esp_proposals=suites("aes-cbc-256/sha512/no-esn"))
        for name in ("frrhub", "frr21"):
            lab.guest_ready(name)

    def the_nave_spoke_registers_at_the_frr_hub(self, lab):
        assert wait_until(lambda: re.search(r"10\.255\.0\.31 .*dynamic|dynamic +10\.255\.0\.31 ", lab.inside("frrhub", 'vtysh -c "show ip nhrp cache"')), 60,
                          0.5), lab.log("navespoke")[-3000:]

    def hosts_reach_each_other_both_ways(self, lab):
        assert wait_until(lambda: lab.ping("host-navespoke", "172.16.1.10", 3).received == 3, 10), lab.drops("navespoke")
        assert lab.guest_ping("frrhub", "172.16.31.10", 3) == [62, 62, 62]

    def nave_rekeys_its_child_sa_without_loss(self, lab):
        before = {row["spi"] for row in lab.ctl("navespoke", "show", "sas")}
        ping = lab.ping("host-navespoke", "172.16.1.10", count=110, interval=0.2)
        assert ping.received == 110, ping.output[-300:]
        assert {row["spi"] for row in lab.ctl("navespoke", "show", "sas")} - before

    def a_shortcut_comes_up_between_the_nave_and_the_frr_spoke(self, lab):
        def direct():
            return lab.ping("host-navespoke", "172.16.21.10", count=5).ttls[-1:] == [62]
        assert wait_until(direct, 20), (lab.peers("navespoke"), lab.log("navespoke")[-3000:])

    def the_shortcut_is_protected_by_cbc_and_hmac_which_both_prefer(self, lab):
        assert proposals_with(lab, "navespoke", "frr21.example") == {"aes-cbc-256/sha512/no-esn"}, lab.ctl("navespoke", "show", "sas")


def run(scenario):
    cases = [name for name in vars(type(scenario)) if not name.startswith("_") and name != "setup"]
    passed = 0
    with GuestLab(f"navei{os.getpid()}") as lab:
        lab.wide_area()
        started = time.monotonic()
        try:
            scenario.setup(lab)
            for name in cases:
                started = time.monotonic()
                getattr(scenario, name)(lab)
                passed += 1
                print(f"ok   {type(scenario).__name__}: {name.replace('_', ' ')} ({time.monotonic() - started:.1f} s)", flush=True)
        except Exception:
            traceback.print_exc()
            print(f"FAIL {type(scenario).__name__}: {cases[passed]} and what follows ({time.monotonic() - started:.1f} s)", flush=True)
            for name in lab.gateways:
                print(f"--- end of the log of {name}\n{lab.log(name)[-3000:]}")
    return passed, len(cases) - passed


def main():
    results = [run(scenario()) for scenario in (NaveHub, NaveSpoke) if not sys.argv[1:] or scenario.__name__ in sys.argv[1:]]
    print(f"{sum(passed for passed, _ in results)} passed, {sum(failed for _, failed in results)} failed")
    sys.exit(1 if any(failed for _, failed in results) else 0)


if __name__ == "__main__":
    main()
