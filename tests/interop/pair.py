"""One nave and one Linux peer: what most scenarios get, each with nave in one role."""

from lab import wait_until
from linux import merged

INITIATOR, RESPONDER = "initiator", "responder"
PING_TTL = 62  # two gateways on the way


def all_answered(ping, ttls=None):
    """A run of pings whose answers have those TTLs, or that are all answered; the second run at the latest, as routes and neighbours still settle on
    a peer whose tunnel has just come up. What may lose nothing is flooded."""
    good = lambda result: result.ttls == ttls if ttls else 0 < result.sent == len(result.ttls)
    first = ping()
    second = first if good(first) else ping()
    assert good(second), f"{first.output}\n{second.output}"
    return second


class Pair:
    """`role` is nave's. As the initiator nave is the spoke of a Linux hub and begins by itself; as the responder it is the hub of a Linux spoke."""

    def __init__(self, lab, role, nave, linux):
        self.lab, self.role, self.nave, self.linux = lab, role, nave, linux
        self.initiation, self.nave_keys, self.linux_keys = None, {}, {}

    @property
    def nave_initiates(self):
        return self.role == INITIATOR

    def prepare(self):
        """Addresses, overlay and daemons of the guest: once, or after something broke."""
        if self.nave_initiates:
            self.linux.become(1, "192.0.2.1", routes=["172.16.31.0/24 10.255.0.31"])
        else:
            self.linux.become(21, "192.0.2.21", hubs=["192.0.2.2"], routes=["172.16.0.0/16 10.255.0.2", "10.255.0.0/24 10.255.0.2"])
        self.linux.charon()

    def start(self, nave=None, linux=None, *, ike=None, secrets=None, authorities=None, charon=None):
        """Configures both sides anew and begins: `nave` holds keys of [tunnel.nave0], `ike` keys of [ike]; `linux` keys of the swanctl connection, with
        tables `local`, `remote` and `child`; None takes a default key out. `secrets`, `authorities`: swanctl's sections. `charon`: strongswan.conf."""
        self.nave.stop()
        self.linux.forget_log()
        self.linux.charon_with(charon or {})
        self.nave_keys = {"tunnel": nave, "ike": ike}
        self.linux_keys = {"changes": linux, "secrets": secrets, "authorities": authorities}
        self.begin()

    def begin(self):
        """Starts nave anew with the keys of `start`, and lets the side begin whose turn it is. The responder is there first."""
        if self.nave_initiates:
            # A hub has no trap, so that nobody but nave begins.
            changes = merged({"child": {"start_action": "none"}}, self.linux_keys["changes"] or {})
            self.linux.speak("192.0.2.31", **self.linux_keys | {"changes": changes})
            return self.nave.start("192.0.2.31", {"address": "192.0.2.1", "identity": self.linux.identity}, **self.nave_keys)
        self.nave.start("192.0.2.2", spokes=[self.linux.number], **self.nave_keys)
        self.linux.speak("192.0.2.2", **self.linux_keys)
        self.initiation = self.linux.initiate()
        self.linux.register()

    def is_up(self):
        return len(self.nave.sas(self.linux.identity)) >= 2 and self.linux.established()[1] >= 1

    def up(self, seconds=10):
        """Waits until both sides have a child SA."""
        assert wait_until(self.is_up, seconds), f"no SA: {self.nave.rows('ike')} {self.initiation} {self.linux.sas()}"

    def traffic(self, count=3):
        """Hosts behind both sides reach each other, both ways."""
        target = f"172.16.{self.linux.number}.10"
        assert self.nave.reaches(target), f"nothing got through: {self.lab.drops(self.nave.name)}"
        for one, other in ((self.nave, target), (self.linux, self.nave.host)):
            all_answered(lambda: one.ping(other, count, 0.05), [PING_TTL] * count)

    def works(self):
        """Up, and traffic both ways."""
        self.up()
        self.traffic()

    def refused(self, *, nave="", linux="", seconds=8):
        """No child SA comes up, and each log says why in those words within that time."""
        assert wait_until(lambda: nave in self.nave.log() and linux in self.linux.log(), seconds), \
            f"expected {nave!r} of nave and {linux!r} of charon"
        # An initiator may know only after the responder's answer, and takes down what that one has.
        nothing = lambda: not self.nave.sas(self.linux.identity) and self.linux.established()[1] == 0
        assert wait_until(nothing, 2), f"an SA came up: {self.nave.rows('sas')} {self.linux.sas()}"

    def proposals(self):
        """The names of the ESP suites in use, in nave's words."""
        return {row["proposal"] for row in self.nave.sas(self.linux.identity)}

    def logs(self):
        """The ends of the logs of both sides."""
        return {self.nave.name: self.nave.evidence(), self.linux.name: self.linux.evidence()}
