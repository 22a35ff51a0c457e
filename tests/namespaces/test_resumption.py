"""Sessions that are resumed (RFC 5723): a hub that was killed, a spoke whose address changes, keys that are lost."""

import re
import time

from lab import wait_until

SETTINGS = {"liveness_interval": "2s", "holding_time": "30s"}
RESUMED = "authenticated spoke{}.example by the ticket of an earlier session"


def configuration(lab, name):
    text = lab.configuration(name, **SETTINGS)
    return text.replace("[control]", f'[control]\nticket_key = "{key_file(lab)}"') if name == "hub" else text


def key_file(run):
    return run.directory / "ticket"


def setup(lab):
    lab.underlay()
    for name in ("hub", "spoke1", "spoke2"):
        lab.gateway(name, configuration(lab, name))
    wait_until(lambda: "wan" in lab.run("spoke2", "ip -br link", check=False), 10)
    move(lab, "203.0.113.60")
    assert wait_until(lab.registered, 20, 0.2), lab.log("hub")[-2000:]


def move(lab, address):
    """What a DHCP client does when it is given another lease."""
    lab.run("spoke2", "ip addr flush dev wan")
    lab.run("spoke2", f"ip addr add {address}/24 dev wan")
    lab.run("spoke2", "ip route add default via 203.0.113.254")


def restart_hub(run):
    """Kill -9, and a new process; gives the log of the new one once both spokes are back."""
    run.kill("hub")
    before = len(run.log("hub"))
    run.gateway("hub", configuration(run, "hub"))
    assert wait_until(run.registered, 30, 0.1), run.log("spoke1")[-2000:]
    return run.log("hub")[before:]


def the_key_is_made_for_its_owner_alone(lab):
    assert key_file(lab).stat().st_mode & 0o7777 == 0o600, oct(key_file(lab).stat().st_mode)
    assert re.fullmatch(r"[0-9a-f]{64}\n", key_file(lab).read_text())


def the_hub_hands_out_tickets(lab):
    assert lab.counters("hub")["ike-tickets-handed-out"] >= 2, lab.counters("hub")
    for name in ("spoke1", "spoke2"):
        assert lab.counters(name)["ike-tickets-received"] >= 1, lab.counters(name)


def a_killed_hub_takes_its_spokes_back_without_a_key_exchange(lab):
    log = restart_hub(lab)
    for number in (1, 2):
        assert RESUMED.format(number) in log, log[-3000:]
    counted = lab.counters("hub")
    assert counted.get("ike-init-requests", 0) == 0 and counted["ike-resume-requests"] >= 2, counted
    for number in (1, 2):
        assert wait_until(lambda: lab.ping(f"host{number}", "172.16.1.10", count=1).received, 5)


def a_spoke_whose_address_changes_is_back_in_three_round_trips(lab):
    """IKE_SESSION_RESUME, IKE_AUTH and the registration; what is lost is what was on its way while `ip` had not yet given the address."""
    ping = lab.start("host2", "ping -n -D -i 0.05 -c 120 172.16.1.10", "moving.log")
    time.sleep(2)
    before = lab.log("hub").count(RESUMED.format(2))
    move(lab, "203.0.113.61")
    ping.wait(timeout=30)
    answers = [float(stamp) for stamp in re.findall(r"^\[([\d.]+)\] \d+ bytes from", lab.log("moving"), re.M)]
    gap = max(later - earlier for earlier, later in zip(answers, answers[1:]))
    print(f"      moved: {120 - len(answers)} of 120 pings lost, longest gap {gap * 1000:.0f} ms")
    assert lab.log("hub").count(RESUMED.format(2)) == before + 1, lab.log("hub")[-3000:]
    assert gap < 1.5, (gap, lab.log("spoke2")[-3000:])
    assert len(answers) > 90, len(answers)


def the_old_association_goes_last(lab):
    """At the hub the peer never went: its SA of before ended when the other one was up."""
    log = lab.log("hub")
    came_back = log.rindex(RESUMED.format(2))
    ended = log.rfind("spoke2.example at 203.0.113.60")
    assert wait_until(lambda: re.search(r"spoke2\.example at 203\.0\.113\.60.*replaced-duplicate", lab.log("hub")[came_back:]), 15), lab.log("hub")[-3000:]
    assert "peer spoke2.example is gone" not in lab.log("hub")[ended:], lab.log("hub")[-3000:]
    rows = [row for row in lab.ctl("hub", "show", "ike") if row["identity"] == "spoke2.example" and row["state"] == "established"]
    assert len(rows) == 1, rows


def a_hub_that_lost_its_key_falls_back_to_full_exchanges(lab):
    key_file(lab).unlink()
    log = restart_hub(lab)
    assert "IKE_SESSION_RESUME refused: the ticket is sealed by a key that we do not have" in log, log[-3000:]
    assert RESUMED.format(1) not in log and RESUMED.format(2) not in log, log[-3000:]
    assert "starting anew" in lab.log("spoke1"), lab.log("spoke1")[-2000:]
    for number in (1, 2):
        assert wait_until(lambda: lab.ping(f"host{number}", "172.16.1.10", count=1).received, 5)


def nothing_was_ever_in_clear_on_the_wire(lab):
    seen = lab.wire()
    assert seen["clear_gre"] == 0 and seen["clear_inner"] == 0, seen
