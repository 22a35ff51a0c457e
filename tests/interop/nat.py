"""Gateways behind NATs: one, several behind different addresses, several behind one."""

from pair import INITIATOR, RESPONDER
from scenario import Scenario


def one_behind_nat(world):
    if world.role == INITIATOR:
        hub, spoke = world.linux_hub([31]), world.nave_spoke(31, "nat1")
    else:
        hub, spoke = world.nave_hub([21]), world.linux_spoke(21, "nat1")
    world.reach((spoke, hub), (hub, spoke))
    linux = hub if world.role == INITIATOR else spoke
    assert linux.encapsulated(), linux.sas()


def behind_different_nats(world):
    """A nave and a Linux spoke. nhrpd installs a shortcut before it knows that the way is open, so none is made here."""
    hub = world.linux_hub([31, 21]) if world.role == INITIATOR else world.nave_hub([21])
    spokes = [world.nave_spoke(31, "nat1", shortcut=False), world.linux_spoke(21, "nat2", shortcut=False)]
    for spoke in spokes:
        world.reach((spoke, hub), (hub, spoke))
    world.reach(tuple(spokes), tuple(reversed(spokes)))


def two_behind_one_nat(world, build):
    """At a nave hub: Linux as the hub would choose among SAs to one address by its policies, which are the same for both spokes."""
    spokes = build(world)
    hub = world.used[0]
    for spoke in spokes:
        world.reach((spoke, hub), (hub, spoke))
    world.reach(tuple(spokes), tuple(reversed(spokes)))
    nbmas = {row["nbma"].split(":")[0] for row in hub.rows("peers") or []}
    assert nbmas == {"192.0.2.101"}, hub.rows("peers")


def nave_and_linux(world):
    world.nave_hub([21])
    return [world.nave_spoke(31, "nat1", shortcut=False), world.linux_spoke(21, "nat1", shortcut=False)]


def linux_and_linux(world):
    world.nave_hub([21, 22])
    return [world.linux_spoke(21, "nat1", shortcut=False), world.linux_spoke(22, "nat1", shortcut=False)]


SCENARIOS = [
    Scenario("spoke-behind-nat", one_behind_nat, wide=True),
    Scenario("spokes-behind-different-nats", behind_different_nats, wide=True),
    Scenario("nave-and-linux-behind-one-nat", lambda world: two_behind_one_nat(world, nave_and_linux), (RESPONDER,), wide=True),
    Scenario("linux-and-linux-behind-one-nat", lambda world: two_behind_one_nat(world, linux_and_linux), (RESPONDER,), wide=True),
]
