"""A DMVPN by certificates: a hub and two spokes below an intermediate authority, their shortcut, and who is kept out."""

from authority import Authority
from lab import wait_until

ISSUED = {"hub.example": "ecdsa", "spoke1.example": "ed25519", "spoke2.example": "ecdsa", "lost.example": "ecdsa"}


def setup(lab):
    lab.authority = Authority(lab.directory / "authority")
    for name, kind in ISSUED.items():
        lab.authority.issue(name, kind)
    lab.lists = lab.authority.revocation_lists("lost.example")
    lab.start_all(each={name: lab.authority.tunnel(f"{name}.example", lab.lists) for name in ("hub", "spoke1", "spoke2")})


def restart_spoke1(lab, authority, name):
    lab.stop("spoke1")
    (lab.directory / "spoke1.log").unlink()
    lab.gateway("spoke1", **authority.tunnel(name))


def refused(lab, words):
    """The hub says why, in words, and lets nobody in."""
    assert wait_until(lambda: words in lab.log("hub"), 10), lab.log("hub")[-2000:]
    assert wait_until(lambda: "the peer rejects our identity" in lab.log("spoke1"), 10), lab.log("spoke1")[-2000:]
    assert lab.counters("hub").get("ike-authentication-failed", 0) > 0, lab.counters("hub")


def both_spokes_register_by_their_certificates(lab):
    assert lab.registered()
    for name, algorithm in (("spoke1", "ed25519"), ("spoke2", "ecdsa-sha256")):
        assert f"authenticated {name}.example by the certificate of O=Example, CN={name}.example ({algorithm})" in lab.log("hub"), lab.log("hub")
        assert "authenticated hub.example by the certificate of O=Example, CN=hub.example (ecdsa-sha256)" in lab.log(name), lab.log(name)
    assert lab.ping("host1", "172.16.1.10").received == 5


def a_shortcut_between_the_spokes_needs_no_key_that_they_share(lab):
    assert lab.shortcut(), lab.peers("spoke1")
    ends = lab.log("spoke1") + lab.log("spoke2")
    assert "authenticated spoke1.example by the certificate" in ends and "authenticated spoke2.example by the certificate" in ends, ends


def a_revoked_spoke_is_refused_in_words(lab):
    restart_spoke1(lab, lab.authority, "lost.example")
    refused(lab, "lost.example does not prove that it is: the certificate of O=Example, CN=lost.example is revoked by O=Example, CN=Intermediate")
    assert "lost.example" not in lab.peers("hub")


def a_spoke_of_another_authority_is_refused_in_words(lab):
    stranger = Authority(lab.directory / "stranger")
    stranger.issue("spoke1.example")
    stranger.root.write_text(lab.authority.root.read_text())  # it believes the hub
    restart_spoke1(lab, stranger, "spoke1.example")
    refused(lab, "spoke1.example does not prove that it is: O=Example, CN=Intermediate is issued by O=Example, CN=Root, which is no CA of ours")
    assert not lab.peers("hub").get("spoke1.example", {}).get("tunnel_addresses"), lab.peers("hub")


def the_others_never_noticed(lab):
    assert lab.ping("host2", "172.16.1.10").received == 5


def a_spoke_that_is_revoked_while_it_is_up_goes_at_once(lab):
    lab.authority.revocation_lists("lost.example", "spoke2.example")
    assert wait_until(lambda: "spoke2.example" not in lab.peers("hub"), 15), lab.log("hub")[-2000:]
    assert "its certificate is revoked" in lab.log("hub"), lab.log("hub")[-2000:]
    assert wait_until(lambda: "spoke2.example does not prove that it is: the certificate of O=Example, CN=spoke2.example is revoked" in lab.log("hub"), 15), lab.log("hub")[-2000:]
    assert "spoke2.example" not in lab.peers("hub")
