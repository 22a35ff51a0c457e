"""How two ends come together: keys, cookies, key exchange groups, modes, refusals."""

import functools

from lab import PSK, wait_until
from pair import INITIATOR, RESPONDER
from scenario import Scenario

CURVES = ["aes-gcm-256/prf-sha384/x25519", "aes-gcm-256/prf-sha384/p384"]
# Kind, nave's identity, strongSwan's.
IDENTITIES = [
    ("email", "nave@example.com", "linux@example.com"),
    ("address", "203.0.113.31", "203.0.113.1"),
    ("key-id", "@#6e617665", "@#6c696e7578"),
]


def psk(pair):
    pair.start()
    pair.works()


def wrong_psk(pair):
    pair.start(secrets={"ike-any": {"secret": '"another-secret-than-nave-has"'}})
    pair.refused(nave="rejects our identity or pre-shared key" if pair.nave_initiates else "wrong pre-shared key for linux.example", linux="AUTH_FAILED")


def no_common_ike_proposal(pair):
    pair.start(nave={"ike_proposals": CURVES[:1]}, linux={"proposals": "aes256-sha256-ecp256"})
    pair.refused(nave="NO_PROPOSAL_CHOSEN" if pair.nave_initiates else "we accept aes-gcm-256/prf-sha384/x25519", linux="NO_PROP")


def identity_of_each_kind(pair, ours, theirs):
    pair.linux.identity = theirs
    try:
        pair.start(nave={"identity": ours, "psk": [{"identity": theirs, "key": PSK}]}, linux={"remote": {"id": ours}})
        pair.works()
    finally:
        pair.linux.identity = "linux.example"


def cookie_asked_by_nave(pair):
    pair.start(ike={"cookies_from_half_open": 0})
    pair.works()
    assert pair.nave.counter("ike-cookies-asked") >= 1, pair.nave.rows("counters")


def cookie_asked_by_linux(pair):
    """strongSwan asks from one half-open SA on: nave's first attempt is left half-open, as its answers are lost."""
    pair.linux.charon(cookie_threshold="1")
    pair.linux.shell("iptables-legacy -I OUTPUT -p udp --sport 500 -j DROP")
    pair.start(charon={"cookie_threshold": "1"})
    assert wait_until(lambda: "IKE_SA_INIT request" in pair.linux.log(), 10)
    pair.nave.kill()
    pair.linux.shell("iptables-legacy -F OUTPUT")
    pair.begin()
    pair.works()
    assert "N(COOKIE)" in pair.linux.log()


def invalid_ke_from_linux(pair):
    pair.start(nave={"ike_proposals": CURVES}, linux={"proposals": "aes256gcm16-prfsha384-ecp384"})
    pair.works()
    assert "INVAL_KE" in pair.linux.log()


def invalid_ke_from_nave(pair):
    pair.start(nave={"ike_proposals": CURVES[1:]}, linux={"proposals": "aes256gcm16-prfsha384-curve25519-ecp384"})
    pair.works()
    assert pair.nave.counter("ike-invalid-ke-sent") >= 1, pair.nave.rows("counters")


def tunnel_mode(pair):
    """strongSwan knows only tunnel mode for this SA, as Cisco's default transform set does; nave falls back to it."""
    pair.start(linux={"child": {"mode": "tunnel"}})
    pair.works()
    assert {row["mode"] for row in pair.nave.sas(pair.linux.identity)} == {"tunnel"}, pair.nave.rows("sas")


def tunnel_mode_not_accepted(pair):
    pair.start(nave={"accept_tunnel_mode": False}, linux={"child": {"mode": "tunnel"}})
    pair.refused(nave="tunnel mode, and accept_tunnel_mode is off")


def encapsulation_forced_by_linux(pair):
    pair.start(linux={"encap": "yes"})
    pair.works()
    assert pair.linux.encapsulated(), pair.linux.sas()


def encapsulation_forced_by_nave(pair):
    pair.start(nave={"force_encapsulation": True})
    pair.works()
    assert pair.linux.encapsulated(), pair.linux.sas()


SCENARIOS = [
    Scenario("psk", psk),
    *(Scenario(f"identity-{kind}", functools.partial(identity_of_each_kind, ours=ours, theirs=theirs)) for kind, ours, theirs in IDENTITIES),
    Scenario("wrong-psk", wrong_psk),
    Scenario("no-common-ike-proposal", no_common_ike_proposal),
    Scenario("cookie-asked-by-nave", cookie_asked_by_nave, (RESPONDER,)),
    Scenario("cookie-asked-by-linux", cookie_asked_by_linux, (INITIATOR,)),
    Scenario("invalid-ke-from-linux", invalid_ke_from_linux, (INITIATOR,)),
    Scenario("invalid-ke-from-nave", invalid_ke_from_nave, (RESPONDER,)),
    Scenario("tunnel-mode", tunnel_mode),
    Scenario("tunnel-mode-not-accepted", tunnel_mode_not_accepted),
    Scenario("encapsulation-forced-by-linux", encapsulation_forced_by_linux),
    Scenario("encapsulation-forced-by-nave", encapsulation_forced_by_nave),
]
