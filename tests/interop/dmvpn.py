"""Whole overlays of Linux and nave: registration, relay, redirect, shortcut."""

import re

from lab import wait_until
from pair import INITIATOR, RESPONDER
from scenario import Scenario

RELAYED = 61  # the TTL of an answer with a hub on the way
GCM = ["aes-gcm-256/no-esn/p384", "aes-gcm-256/no-esn"]


def registered_at_linux(hub, spokes):
    cache = lambda: hub.shell('vtysh -c "show ip nhrp cache"')
    for spoke in spokes:
        assert wait_until(lambda: re.search(rf"10\.255\.0\.{spoke.number} .*dynamic|dynamic +10\.255\.0\.{spoke.number} ", cache()), 30, 0.3), cache()


def registered_at_nave(hub, identities):
    for identity, number in identities.items():
        assert wait_until(lambda: hub.peer(identity).get("tunnel_addresses") == [f"10.255.0.{number}"], 30, 0.3), hub.rows("peers")


def relay_and_shortcut(world, hub, one, other):
    """Both reach the hub; between them the first packets go through it, and soon none does, in either direction."""
    world.reach((one, hub), (hub, one), (other, hub), (hub, other), count=3)
    first = one.ping(f"172.16.{other.number}.10", 3)
    assert first.ttls[:1] == [RELAYED], first.output
    assert world.direct(one, other), f"no shortcut from {one.name} to {other.name}"
    assert world.direct(other, one), f"no shortcut from {other.name} to {one.name}"
    world.reach((one, other), (other, one))


def linux_hub_nave_spokes(world):
    """The group's extension is nothing to an FRR hub, and is heard by the other nave, with which a spoke registers as well."""
    hub, spokes = world.linux_hub([31, 32]), [world.nave_spoke(31, nhrp_group="branch"), world.nave_spoke(32)]
    registered_at_linux(hub, spokes)
    relay_and_shortcut(world, hub, *spokes)
    assert spokes[1].peer("nave31.example")["nhrp_group"] == "branch", spokes[1].rows("peers")


def linux_hub_mixed_spokes(world):
    """A suite that only the spokes know proves that the shortcut's SA is theirs. Who has packets for the other asks first, and often begins."""
    hub = world.linux_hub([31, 21])
    nave = world.nave_spoke(31, esp_proposals=["aes-cbc-256/sha512/no-esn", *GCM], nhrp_group="branch")
    linux = world.linux_spoke(21, connection={"child": {"esp_proposals": "aes256-sha512,aes256gcm16-ecp384"}})
    registered_at_linux(hub, [nave, linux])
    relay_and_shortcut(world, hub, *((nave, linux) if world.role == INITIATOR else (linux, nave)))
    assert {row["proposal"] for row in nave.sas(linux.identity)} == {"aes-cbc-256/sha512/no-esn"}, nave.rows("sas")


def nave_hub_linux_spokes(world):
    """When the spokes begin at once, Linux would take packets of one of their two SAs only, unless all have one reqid."""
    hub, spokes = world.nave_hub([21, 22]), [world.linux_spoke(number, connection={"child": {"reqid": "7"}}) for number in (21, 22)]
    registered_at_nave(hub, {"linux2.example": 21, "linux3.example": 22})
    relay_and_shortcut(world, hub, *spokes)


def nave_hub_mixed_spokes(world):
    hub, nave, linux = world.nave_hub([21]), world.nave_spoke(31), world.linux_spoke(21)
    registered_at_nave(hub, {"nave31.example": 31, "linux2.example": 21})
    relay_and_shortcut(world, hub, *((nave, linux) if world.role == INITIATOR else (linux, nave)))


SCENARIOS = [
    Scenario("linux-hub-nave-spokes", linux_hub_nave_spokes, (INITIATOR,), wide=True),
    Scenario("linux-hub-mixed-spokes", linux_hub_mixed_spokes, wide=True),
    Scenario("nave-hub-linux-spokes", nave_hub_linux_spokes, (RESPONDER,), wide=True),
    Scenario("nave-hub-mixed-spokes", nave_hub_mixed_spokes, wide=True),
]
