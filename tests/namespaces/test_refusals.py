"""What must be refused: wrong keys, identities, proposals, GRE keys, stolen addresses. Each shows the refusal, the log line and the counter."""

from lab import wait_until


ACCESS = ('[{ identity = "spoke1.example", tunnel_addresses = ["10.255.0.11"], prefixes = ["172.16.11.0/24"] },'
          ' { identity = "*.example", tunnel_addresses = ["10.255.0.0/24"], prefixes = [] }]')


def restart_hub(lab, **changes):
    lab.stop("hub")
    (lab.directory / "hub.log").unlink()
    lab.gateway("hub", **changes)


def restart_spoke(lab, **changes):
    if "spoke1" in lab.gateways:
        lab.stop("spoke1")
        (lab.directory / "spoke1.log").unlink()
    lab.gateway("spoke1", **changes)


def setup(lab):
    lab.underlay()
    lab.gateway("hub", access=ACCESS)
    assert wait_until(lambda: lab.ctl("hub", "show", "peers") is not None, 10), lab.log("hub")


def refused(lab, counter, words, seconds=10):
    """The hub counts the refusal and says it in words; the spoke never registers."""
    wait_until(lambda: lab.counters("hub").get(counter, 0) > 0 and words in lab.log("hub") + lab.log("spoke1"), seconds)
    assert lab.counters("hub").get(counter, 0) > 0, (counter, lab.counters("hub"))
    assert words in lab.log("hub") + lab.log("spoke1"), lab.log("hub")[-2000:] + lab.log("spoke1")[-2000:]


def a_wrong_pre_shared_key_is_refused(lab):
    restart_spoke(lab, psk='[{ identity = "*.example", key = "another-secret-than-the-hubs" }]')
    refused(lab, "ike-authentication-failed", "pre-shared key")
    assert not lab.peers("hub").get("spoke1.example", {}).get("tunnel_addresses")


def an_identity_without_a_key_is_refused(lab):
    restart_spoke(lab, identity="stranger.invalid")
    refused(lab, "ike-authentication-failed", "stranger.invalid")


def no_common_proposal_is_refused(lab):
    restart_hub(lab, ike_proposals='["aes-gcm-256/prf-sha384/p384"]')
    restart_spoke(lab, ike_proposals='["aes-cbc-128/sha256/prf-sha256/p256"]')
    refused(lab, "ike-no-proposal-chosen", "offered")


def a_wrong_gre_key_is_dropped_by_name(lab):
    restart_hub(lab, access=ACCESS)
    restart_spoke(lab, key=43)
    assert wait_until(lambda: lab.drops("hub").get("gre-wrong-key", 0) > 0, 10), lab.drops("hub")
    for name, words in (("hub", "another GRE key"), ("spoke1", "192.0.2.1 is up and does not answer our registration: compare key")):
        assert wait_until(lambda name=name, words=words: words in lab.log(name), 12), lab.log(name)[-2000:]
    assert not lab.peers("hub").get("spoke1.example", {}).get("tunnel_addresses")


def a_tunnel_address_that_the_identity_may_not_hold_is_refused(lab):
    restart_spoke(lab, address="10.255.0.99/24")
    refused(lab, "overlay-registration-refused-4", "10.255.0.99")  # administratively prohibited (RFC 2332 §5.2.0.1)


def a_prefix_that_the_identity_may_not_hold_is_refused_and_the_rest_stands(lab):
    text = lab.configuration("spoke1").replace("172.16.11.1/24", "172.16.44.1/24")
    lab.stop("spoke1")
    lab.gateway("spoke1", text=text)
    refused(lab, "overlay-registration-refused-4", "172.16.44.0/24")
    assert wait_until(lambda: lab.peers("hub").get("spoke1.example", {}).get("tunnel_addresses") == ["10.255.0.11"], 10), lab.peers("hub")


def a_live_spokes_tunnel_address_is_not_given_to_another(lab):
    restart_spoke(lab, identity="spoke3.example", address="10.255.0.33/24")
    assert wait_until(lambda: lab.peers("hub").get("spoke3.example", {}).get("tunnel_addresses"), 10), lab.log("hub")[-2000:]
    thief = lab.configuration("spoke2", identity="thief.example", address="10.255.0.33/24")
    thief = thief.replace('device = "af_packet:eth0"', 'device = "af_packet:eth0"\naddress = "203.0.113.9/24"\ngateway = "203.0.113.254"')
    lab.gateway("spoke2", text=thief)
    refused(lab, "overlay-registration-refused-14", "thief.example")  # already registered
    assert lab.peers("hub")["spoke3.example"]["tunnel_addresses"] == ["10.255.0.33"], lab.peers("hub")
    lab.stop("spoke2")


def a_packet_with_a_source_that_is_not_the_spokes_is_dropped_by_name(lab):
    restart_spoke(lab)
    assert wait_until(lambda: lab.peers("hub").get("spoke1.example", {}).get("prefixes"), 15), lab.log("hub")[-2000:]
    lab.run("host1", "ip addr add 172.16.99.9/32 dev eth0")
    lab.ping("host1", "172.16.1.10", count=3, options="-I 172.16.99.9")
    assert lab.drops("hub").get("peer-wrong-source", 0) >= 1, lab.drops("hub")
