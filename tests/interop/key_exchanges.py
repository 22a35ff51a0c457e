"""Additional key exchanges (RFC 9370). strongSwan of Debian 12 knows none, so that nave makes them with nave, and agrees with Linux on what is left."""

from lab import wait_until
from pair import RESPONDER
from scenario import Scenario

PLAIN_IKE, PLAIN_ESP = "aes-gcm-256/prf-sha384/x25519", "aes-gcm-256/esn/x25519"
IKE, ESP = f"{PLAIN_IKE}/ke1-p384/ke2-modp3072", f"{PLAIN_ESP}/ke1-p384"
PROPOSALS = {"ike_proposals": [IKE, PLAIN_IKE], "esp_proposals": [ESP, PLAIN_ESP, "aes-gcm-256/no-esn/x25519"]}


def offered_to_linux(pair):
    """The proposals without them stand behind, for such a peer; as an initiator it offers none."""
    pair.start(nave=PROPOSALS)
    pair.works()
    assert {row["proposal"] for row in pair.nave.ike(pair.linux.identity)} == {PLAIN_IKE}, pair.nave.rows("ike")
    for kind in ("ike", "child"):
        pair.linux.rekey(kind)
        assert wait_until(lambda: pair.linux.established() == (1, 1), 5, 0.2), pair.linux.sas()
    pair.traffic()


def nave_and_nave_beside_linux(world):
    """A hub that makes them with one spoke and not with the other; child SAs are rekeyed meanwhile."""
    hub = world.nave_hub([21], **PROPOSALS)
    spokes = [world.nave_spoke(31, shortcut=False, child_lifetime="12s", **PROPOSALS), world.linux_spoke(21, shortcut=False)]
    for spoke in spokes:
        world.reach((spoke, hub), (hub, spoke))
    assert {row["proposal"] for row in hub.ike("nave31.example")} == {IKE}, hub.rows("ike")
    assert {row["proposal"] for row in hub.ike("linux2.example")} == {PLAIN_IKE}, hub.rows("ike")
    assert wait_until(lambda: {row["proposal"] for row in hub.sas("nave31.example")} == {ESP}, 16), hub.rows("sas")
    assert hub.counter("ike-intermediate-exchanges") == 2 and hub.counter("ike-follow-up-exchanges") >= 1, hub.rows("counters")
    world.reach(tuple(spokes), tuple(reversed(spokes)))


SCENARIOS = [
    Scenario("additional-key-exchanges-offered-to-linux", offered_to_linux),
    Scenario("additional-key-exchanges-nave-and-nave", nave_and_nave_beside_linux, (RESPONDER,), wide=True),
]
