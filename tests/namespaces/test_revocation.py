"""Revocation by HTTP along the underlay's routes, and OCSP inside of IKE: the hub alone reaches the responder, and tells its spokes what that one says."""

from authority import Authority
from lab import wait_until

RESPONDER = "authorityInfoAccess=OCSP;URI:http://127.0.0.1:9080"                              # beside the hub
LISTS = "crlDistributionPoints=URI:http://192.0.2.254:9081/intermediate.crl"                  # beyond the hub's underlay port


def setup(lab):
    lab.authority = Authority(lab.directory / "authority")
    lab.authority.issue("hub.example", extensions=[RESPONDER])
    for name in ("spoke1.example", "spoke2.example", "lost.example"):
        lab.authority.issue(name, extensions=[LISTS])
    served = lab.authority.serve_lists("lost.example")
    lab.underlay()
    lab.start("wan", ["python3", "-m", "http.server", "9081", "--directory", str(served)], "http.log")
    lab.start("hub", lab.authority.ocsp_responder(9080), "ocsp.log")
    lab.gateway("hub", **lab.authority.tunnel("hub.example"))
    assert wait_until(lambda: lab.counters("hub").get("ike-revocation-answers"), 15), lab.log("hub")


def start_spoke1(lab, name):
    lab.gateway("spoke1", **lab.authority.tunnel(name))


def a_spoke_comes_in_by_the_list_that_its_certificate_names_and_believes_the_hub_by_the_response_that_it_sends_along(lab):
    start_spoke1(lab, "spoke1.example")
    assert wait_until(lambda: "spoke1.example" in lab.peers("hub"), 15), lab.log("hub")[-2000:] + lab.log("spoke1")[-2000:]
    assert lab.counters("hub")["ike-revocation-answers"] == 2, lab.counters("hub")
    assert not lab.counters("spoke1").get("ike-revocation-failures"), lab.log("spoke1")
    assert "hub.example" in lab.peers("spoke1"), lab.log("spoke1")


def a_spoke_that_is_on_the_list_is_refused(lab):
    lab.stop("spoke1")
    start_spoke1(lab, "lost.example")
    words = "lost.example does not prove that it is: the certificate of O=Example, CN=lost.example is revoked by O=Example, CN=Intermediate"
    assert wait_until(lambda: words in lab.log("hub"), 15), lab.log("hub")[-2000:]
    assert "lost.example" not in lab.peers("hub")


def a_hub_that_is_revoked_tells_its_spokes_itself(lab):
    for name in ("spoke1", "hub"):
        lab.stop(name)
    responder = next(process for process in lab.processes if "ocsp" in process.args)
    responder.terminate()
    responder.wait(timeout=5)
    lab.start("hub", lab.authority.ocsp_responder(9080, "hub.example"), "ocsp.log")
    lab.gateway("hub", **lab.authority.tunnel("hub.example"))
    assert wait_until(lambda: "our own certificate of O=Example, CN=hub.example is revoked" in lab.log("hub"), 15), lab.log("hub")[-2000:]
    start_spoke1(lab, "spoke1.example")
    words = "hub.example does not prove that it is: the certificate of O=Example, CN=hub.example is revoked by O=Example, CN=Intermediate"
    assert wait_until(lambda: words in lab.log("spoke1"), 15), lab.log("spoke1")[-2000:]
