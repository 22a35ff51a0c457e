"""Session resumption (RFC 5723) between nave and nave, as strongSwan does not know it: the spoke resumes with a hub that was killed, the hub takes a
spoke that comes from another address."""

from lab import wait_until
from pair import INITIATOR, RESPONDER
from scenario import Scenario

RESUMED = "authenticated nave31.example by the ticket of an earlier session"


def gateways(world):
    control = {"ticket_key": f"{world.lab.directory}/ticket"}
    hub = world.nave_hub([], control=control)
    spoke = world.nave_spoke(31, liveness_interval="2s")
    world.reach((spoke, hub), count=2)
    return hub, spoke, control


def resumed(world, hub, spoke):
    assert wait_until(lambda: RESUMED in hub.log(), 20), hub.log()[-2000:]
    assert spoke.counter("ike-resumptions") == 1 and spoke.counter("ike-resumptions-failed") == 0, world.lab.counters(spoke.name)
    world.reach((spoke, hub), (hub, spoke), count=2)


def killed_hub(world):
    hub, spoke, control = gateways(world)
    hub.kill()
    hub.start(world.hub_nbma, tunnel={"identity": "hub.example"}, control=control)
    resumed(world, hub, spoke)
    assert hub.counter("ike-init-requests") == 0, world.lab.counters(hub.name)


def moved_spoke(world):
    hub, spoke, _ = gateways(world)
    world.lab.run(spoke.name, "ip addr flush dev wan")
    world.lab.run(spoke.name, "ip addr add 192.0.2.41/24 dev wan")
    resumed(world, hub, spoke)
    assert hub.peer("nave31.example")["nbma"].startswith("192.0.2.41"), hub.rows("peers")


SCENARIOS = [Scenario("resumption-killed-hub", killed_hub, (INITIATOR,), wide=True), Scenario("resumption-moved-spoke", moved_spoke, (RESPONDER,), wide=True)]
