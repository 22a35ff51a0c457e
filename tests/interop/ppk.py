"""Post-quantum preshared keys (RFC 8784) with strongSwan: every case of the RFC's table that two ends can come to."""

from lab import PSK, wait_until
from pair import INITIATOR
from scenario import Scenario

ID, KEY = "site-7", "post-quantum-key-of-the-lab-0123456789"
MIXED = f"and PPK '{ID}'"


def nave(required=False, name=ID, key=KEY):
    """[[tunnel.nave0.ppk]] of nave."""
    return {"ppk": [{"id": name, "key": key, "required": required}]}


def linux(required=False):
    """The connection's part of strongSwan."""
    return {"ppk_id": ID, "ppk_required": "yes" if required else "no"}


def secrets(key=KEY):
    return {"ike-any": {"secret": f'"{PSK}"'}, "ppk-lab": {"id": ID, "secret": f'"{key}"'}}


def works(pair, mixed):
    """Up with traffic both ways, with the PPK or without."""
    pair.works()
    assert (MIXED in pair.nave.log()) == mixed, f"PPK expected: {mixed}"
    assert ("using PPK" in pair.linux.log()) == mixed, f"PPK expected of charon: {mixed}"


def optional(pair):
    pair.start(nave=nave(), linux=linux(), secrets=secrets())
    works(pair, mixed=True)


def required(pair):
    pair.start(nave=nave(True), linux=linux(True), secrets=secrets())
    works(pair, mixed=True)


def rekeyed(pair):
    """Keys of later SAs follow from those that hold the PPK: a difference would end the traffic."""
    pair.start(nave=nave(), linux=linux(), secrets=secrets())
    pair.works()
    for kind in ("ike", "child"):
        pair.linux.rekey(kind)
        assert wait_until(lambda: pair.linux.established() == (1, 1), 5, 0.2), pair.linux.sas()
    pair.traffic()


def nave_has_none(pair):
    pair.start(linux=linux(), secrets=secrets())
    works(pair, mixed=False)


def linux_has_none(pair):
    pair.start(nave=nave())
    works(pair, mixed=False)


def unknown_to_the_other(pair):
    """Both know the extension and no id in common: NO_PPK_AUTH authenticates the initiator without a PPK. A strongSwan responder that names an id
    in its connection would insist on it."""
    pair.start(nave=nave(name="site-8"), linux=None if pair.nave_initiates else linux(), secrets=secrets())
    works(pair, mixed=False)


def required_by_nave_alone(pair):
    pair.start(nave=nave(True))
    pair.refused(nave=f"'{ID}' is required" if pair.nave_initiates else "profile 'nave0' requires a PPK of linux.example")


def required_by_linux_alone(pair):
    pair.start(linux=linux(True), secrets=secrets())
    pair.refused(linux="PPK")


def wrong(pair):
    pair.start(nave=nave(key=KEY[::-1]), linux=linux(), secrets=secrets())
    pair.refused(nave="authentication" if pair.nave_initiates else f"wrong pre-shared key or wrong PPK '{ID}'")


SCENARIOS = [
    Scenario("ppk", optional),
    Scenario("ppk-required", required),
    Scenario("ppk-rekeyed", rekeyed, (INITIATOR,)),
    Scenario("ppk-nave-has-none", nave_has_none),
    Scenario("ppk-linux-has-none", linux_has_none),
    Scenario("ppk-unknown", unknown_to_the_other),
    Scenario("ppk-required-by-nave-alone", required_by_nave_alone),
    Scenario("ppk-required-by-linux-alone", required_by_linux_alone),
    Scenario("ppk-wrong", wrong),
]
