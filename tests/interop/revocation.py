"""Certificates that are looked up by HTTP: an OCSP responder and a list's distribution point, in nave's own network. What is revoked is refused."""

import contextlib
import functools

from certificates import SUBJECT, certified, over
from scenario import Scenario

OCSP_PORT, LIST_PORT = 9080, 9081
NAMES_RESPONDER = (f"authorityInfoAccess=OCSP;URI:http://127.0.0.1:{OCSP_PORT}",)
NAMES_LIST = (f"crlDistributionPoints=URI:http://127.0.0.1:{LIST_PORT}/intermediate.crl",)


@contextlib.contextmanager
def looked_up(pair, asks, *revoked):
    """Both sides have begun, and linux's certificate says `asks`; a responder and a server with the list run beside nave."""
    processes = []

    def serve(authority):
        start = lambda command, log: processes.append(pair.lab.start(pair.nave.name, command, f"{pair.nave.name}-{log}.log"))
        start(authority.ocsp_responder(OCSP_PORT, *revoked), "ocsp")
        start(["python3", "-m", "http.server", str(LIST_PORT), "--bind", "127.0.0.1", "--directory", str(authority.serve_lists(*revoked))], "http")

    try:
        certified(pair, "ecdsa", lists=None, asks=asks, serve=serve)
        yield
    finally:
        over(pair)
        for process in processes:
            process.terminate()
            process.wait(timeout=5)


def good(pair, asks):
    with looked_up(pair, asks):
        pair.works()
        assert pair.nave.counter("ike-revocation-answers") >= 1, "nobody was asked"


def revoked(pair, asks):
    with looked_up(pair, asks, "linux.example"):
        pair.refused(nave=f"the certificate of {SUBJECT.format('linux.example')} is revoked by {SUBJECT.format('Intermediate')}")


def silent(pair):
    with looked_up(pair, ("authorityInfoAccess=OCSP;URI:http://127.0.0.1:1",)):
        pair.refused(nave=f"nobody says whether {SUBJECT.format('linux.example')} is revoked")


SCENARIOS = [
    Scenario("ocsp", functools.partial(good, asks=NAMES_RESPONDER)),
    Scenario("ocsp-revoked", functools.partial(revoked, asks=NAMES_RESPONDER)),
    Scenario("ocsp-silent", silent),
    Scenario("crl-http", functools.partial(good, asks=NAMES_LIST)),
    Scenario("crl-http-revoked", functools.partial(revoked, asks=NAMES_LIST)),
]
