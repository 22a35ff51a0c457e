"""Additional key exchanges (RFC 9370) between naved processes: the hub and one spoke make them when the IKE SA comes up and at every rekey, the other
spoke knows none."""

import time

from lab import wait_until

PLAIN_IKE, PLAIN_ESP = "aes-gcm-256/prf-sha384/x25519", "aes-gcm-256/esn/x25519"
IKE, ESP = f"{PLAIN_IKE}/ke1-p384/ke2-modp3072", f"{PLAIN_ESP}/ke1-p384"
LIFETIMES = {"child_lifetime": "20s", "ike_lifetime": "30s", "holding_time": "30s", "shortcut": False}


def setup(lab):
    several = {"ike_proposals": f'["{IKE}", "{PLAIN_IKE}"]', "esp_proposals": f'["{ESP}", "{PLAIN_ESP}"]'}
    plain = {"ike_proposals": f'["{PLAIN_IKE}"]', "esp_proposals": f'["{PLAIN_ESP}"]'}
    lab.start_all(each={"hub": several, "spoke1": several, "spoke2": plain}, **LIFETIMES)


def ike_suites(lab, identity):
    return {row["proposal"] for row in lab.ctl("hub", "show", "ike") if row["identity"] == identity}


def esp_suites(lab, identity):
    return {row["proposal"] for row in lab.ctl("hub", "show", "sas") if row["identity"] == identity}


def the_suite_with_all_key_exchanges_is_shown_where_both_know_them(lab):
    assert ike_suites(lab, "spoke1.example") == {IKE}, lab.ctl("hub", "show", "ike")
    assert ike_suites(lab, "spoke2.example") == {PLAIN_IKE}, lab.ctl("hub", "show", "ike")
    assert lab.counters("spoke1")["ike-intermediate-exchanges"] == 2, lab.counters("spoke1")
    assert "key exchange with modp3072 added" in lab.log("spoke1"), lab.log("spoke1")[-2000:]


def rekeys_of_both_kinds_make_them_too_and_lose_no_packet(lab):
    flood = lab.start("host1", "ping -q -n -i 0.01 -W 2 -w 45 172.16.1.10", "rekeys.log")
    rekeyed = lambda: lab.log("spoke1").count("rekeyed by") > 0 and esp_suites(lab, "spoke1.example") == {ESP}
    deadline = time.monotonic() + 44
    while time.monotonic() < deadline and not (rekeyed() and lab.counters("hub").get("ike-follow-up-exchanges", 0) + lab.counters("spoke1").get("ike-follow-up-exchanges", 0) >= 3):
        time.sleep(0.5)
    assert rekeyed(), lab.log("spoke1")[-3000:]
    flood.wait(timeout=60)
    assert " 0% packet loss" in lab.log("rekeys"), lab.log("rekeys")
    assert ike_suites(lab, "spoke1.example") == {IKE}, lab.ctl("hub", "show", "ike")


def the_peer_that_knows_none_rekeys_as_ever(lab):
    rekeyed = lambda: lab.log("spoke2").count("rekeyed by") > 0 and lab.registered()
    assert wait_until(rekeyed, 30, 0.5), lab.log("spoke2")[-3000:]
    assert ike_suites(lab, "spoke2.example") == {PLAIN_IKE}, lab.ctl("hub", "show", "ike")
    assert esp_suites(lab, "spoke2.example") == {PLAIN_ESP}, lab.ctl("hub", "show", "sas")
