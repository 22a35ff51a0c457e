"""Every suite of IKE and of ESP that both sides know, one short run each. A new suite is a line in a table."""

import functools

from scenario import Scenario

# nave's words, strongSwan's words. Every cipher, integrity, PRF and group is there, and every PRF with every group.
IKE = [
    ("aes-gcm-128/prf-sha256/p256", "aes128gcm16-prfsha256-ecp256"),
    ("aes-gcm-128/prf-sha384/p384", "aes128gcm16-prfsha384-ecp384"),
    ("aes-gcm-128/prf-sha512/x25519", "aes128gcm16-prfsha512-curve25519"),
    ("aes-gcm-256/prf-sha256/p384", "aes256gcm16-prfsha256-ecp384"),
    ("aes-gcm-256/prf-sha256/x25519", "aes256gcm16-prfsha256-curve25519"),
    ("aes-gcm-256/prf-sha384/p256", "aes256gcm16-prfsha384-ecp256"),
    ("aes-gcm-256/prf-sha384/x25519", "aes256gcm16-prfsha384-curve25519"),
    ("aes-gcm-256/prf-sha512/p256", "aes256gcm16-prfsha512-ecp256"),
    ("aes-gcm-256/prf-sha512/p384", "aes256gcm16-prfsha512-ecp384"),
    ("aes-gcm-256/prf-sha384/x448", "aes256gcm16-prfsha384-curve448"),
    ("aes-gcm-256/prf-sha512/p521", "aes256gcm16-prfsha512-ecp521"),
    ("aes-gcm-128/prf-sha256/modp2048", "aes128gcm16-prfsha256-modp2048"),
    ("aes-gcm-128/prf-sha256/modp3072", "aes128gcm16-prfsha256-modp3072"),
    ("aes-gcm-256/prf-sha384/modp4096", "aes256gcm16-prfsha384-modp4096"),
    ("chacha20-poly1305/prf-sha256/x25519", "chacha20poly1305-prfsha256-curve25519"),
    ("aes-cbc-128/sha256/prf-sha256/p256", "aes128-sha256-prfsha256-ecp256"),
    ("aes-cbc-128/sha384/prf-sha384/p384", "aes128-sha384-prfsha384-ecp384"),
    ("aes-cbc-128/sha512/prf-sha512/x25519", "aes128-sha512-prfsha512-curve25519"),
    ("aes-cbc-256/sha256/prf-sha384/x25519", "aes256-sha256-prfsha384-curve25519"),
    ("aes-cbc-256/sha384/prf-sha256/p256", "aes256-sha384-prfsha256-ecp256"),
    ("aes-cbc-256/sha512/prf-sha512/p384", "aes256-sha512-prfsha512-ecp384"),
]
# Each with extended sequence numbers and without.
ESP = [
    ("aes-gcm-128", "aes128gcm16"),
    ("aes-gcm-256", "aes256gcm16"),
    ("chacha20-poly1305", "chacha20poly1305"),
    ("aes-cbc-128/sha256", "aes128-sha256"),
    ("aes-cbc-128/sha384", "aes128-sha384"),
    ("aes-cbc-128/sha512", "aes128-sha512"),
    ("aes-cbc-256/sha256", "aes256-sha256"),
    ("aes-cbc-256/sha384", "aes256-sha384"),
    ("aes-cbc-256/sha512", "aes256-sha512"),
]
# Those that do not encrypt.
CLEAR = [
    ("aes-gmac-128/no-esn", "aes128gmac-noesn"),
    ("aes-gmac-256/esn", "aes256gmac-esn"),
    ("null/sha256/no-esn", "null-sha256-noesn"),
    ("null/sha384/esn", "null-sha384-esn"),
    ("null/sha512/no-esn", "null-sha512-noesn"),
]


def ike(pair, ours, theirs):
    pair.start(nave={"ike_proposals": [ours]}, linux={"proposals": theirs})
    pair.works()
    assert {row["proposal"] for row in pair.nave.ike(pair.linux.identity)} == {ours}, pair.nave.rows("ike")


def esp(pair, ours, theirs):
    pair.start(nave={"esp_proposals": [ours]}, linux={"child": {"esp_proposals": theirs}})
    pair.works()
    assert pair.proposals() == {ours}, pair.nave.rows("sas")


def clear(pair, ours, theirs):
    esp(pair, ours, theirs)
    log = pair.nave.log()
    assert f'"{ours}" DOES NOT ENCRYPT' in log and "NOT ENCRYPTED" in log.split("DOES NOT ENCRYPT")[1], log


SCENARIOS = [Scenario(f"ike-{ours}", functools.partial(ike, ours=ours, theirs=theirs)) for ours, theirs in IKE]
SCENARIOS += [Scenario(f"esp-{ours}{ending}", functools.partial(esp, ours=ours + ending, theirs=theirs + extended))
              for ours, theirs in ESP for ending, extended in (("/esn", "-esn"), ("/no-esn", "-noesn"))]
SCENARIOS += [Scenario(f"esp-{ours}", functools.partial(clear, ours=ours, theirs=theirs)) for ours, theirs in CLEAR]
