"""Certificates below intermediate authorities: each kind of key, PSS and the older methods, names, revocation, and who is not believed."""

import functools

from authority import Authority
from scenario import Scenario

SUBJECT = "O=Example, CN={}"


def equip(pair, kind, authorities="ecdsa", asks=()):
    """Certificates for both sides with keys of that kind, each from an intermediate authority of its own that the other side has never seen; gives nave's authority and linux's, whose
    own keys are of the kind `authorities`. `asks`: extensions of linux's certificate that say whom to ask about it."""
    ours, theirs = (Authority(pair.lab.directory / f"{side}-{pair.role}-{kind}-{authorities}", authorities) for side in ("nave", "linux"))
    ours.issue("nave.example", kind)
    theirs.issue("linux.example", kind, asks)
    pair.linux.shell("rm -f /etc/swanctl/x509/* /etc/swanctl/x509ca/* /etc/swanctl/private/*")
    for path, file in {"x509/linux.pem": theirs.folder / "linux.example-alone.pem", "x509/intermediate.pem": theirs.intermediate,
                       "private/linux.key": theirs.folder / "linux.example.key", "x509ca/root.pem": ours.root}.items():
        pair.linux.put(path, file.read_bytes())
    return ours, theirs


def certified(pair, kind, identities=("nave.example", "linux.example"), lists=(), ca=None, charon=None, authorities="ecdsa", asks=(), serve=None):
    """Both sides begin with certificates. nave believes `ca`, by default the root above linux's. `serve` is called with linux's authority before."""
    ours, theirs = equip(pair, kind, authorities, asks)
    if serve:
        serve(theirs)
    nave = {"identity": identities[0], "psk": None, "certificate": str(ours.folder / "nave.example.pem"), "private_key": str(ours.folder / "nave.example.key"),
            "ca": [{"file": str(ca or theirs.root)}], "crl": [str(file) for file in theirs.revocation_lists(*lists)] if lists is not None else []}
    linux = {"local": {"auth": "pubkey", "certs": "linux.pem", "id": f'"{identities[1]}"'}, "remote": {"auth": "pubkey", "id": f'"{identities[0]}"'}}
    pair.linux.identity = identities[1]
    pair.start(nave=nave, linux=linux, secrets={}, charon=charon)


def over(pair):
    """Takes back what equip() and certified() changed."""
    pair.linux.identity = "linux.example"
    pair.linux.shell("rm -f /etc/swanctl/x509/* /etc/swanctl/x509ca/* /etc/swanctl/private/*")


def accepted(pair, kind, algorithm, names="{}", **how):
    """Up, by that algorithm of strongSwan's signature; nave's certificate convinced strongSwan."""
    try:
        certified(pair, kind, identities=tuple(names.format(name) for name in ("nave.example", "linux.example")), **how)
        pair.works()
        words = f"authenticated {pair.linux.identity} by the certificate of {SUBJECT.format('linux.example')} ({algorithm})"
        assert words in pair.nave.log(), f"expected {words!r}"
        assert f"authentication of '{names.format('nave.example')}' with" in pair.linux.log(), "strongSwan does not say how nave authenticated"
    finally:
        over(pair)


def revoked(pair):
    try:
        certified(pair, "ecdsa", lists=("linux.example",))
        pair.refused(nave=f"the certificate of {SUBJECT.format('linux.example')} is revoked by {SUBJECT.format('Intermediate')}")
    finally:
        over(pair)


def another_authority(pair):
    try:
        stranger = Authority(pair.lab.directory / f"stranger-{pair.role}")
        certified(pair, "ecdsa", ca=stranger.root, lists=None)
        pair.refused(nave="linux.example does not prove that it is")
    finally:
        over(pair)


SCENARIOS = [Scenario(f"cert-{name}", functools.partial(accepted, kind=kind, algorithm=algorithm, **how)) for name, kind, algorithm, how in [
    ("rsa", "rsa", "rsa-pkcs1-sha256", {}),
    ("rsa-pss", "rsa", "rsa-pss-sha256", {"charon": {"rsa_pss": "yes"}}),
    ("ecdsa", "ecdsa", "ecdsa-sha256", {}),
    ("ecdsa-older-method", "ecdsa", "ecdsa-sha256", {"charon": {"signature_authentication": "no"}}),
    ("ed25519", "ed25519", "ed25519", {}),
    ("subject", "ecdsa", "ecdsa-sha256", {"names": SUBJECT}),
]] + [Scenario("cert-revoked", revoked), Scenario("cert-another-authority", another_authority)]
