"""Everything of the lab, for scenarios with more than one peer: three Linux guests, three nave gateways, two NATs."""

from frr import Frr
from gateway import Nave
from lab import wait_until
from linux import Linux
from pair import INITIATOR, PING_TTL, Pair, all_answered

LINUX_HUB, NAVE_HUB = 1, 2  # numbers, and last bytes of addresses on the wide area
NAT_INSIDE = {"nat1": 101, "nat2": 102}


def nat_address(nat):
    """The address on the wide area that a NAT shows for all behind it."""
    return f"192.0.2.{NAT_INSIDE[nat]}"


class World:
    """A wide scenario places its own gateways; numbers name tunnel address 10.255.0.N and LAN 172.16.N.0/24. Guests and gateways are booted when first used."""

    def __init__(self, lab):
        self.lab, self.role, self.hub_number = lab, None, 0
        self.guests, self.naves, self.nats = {}, {}, set()
        self.used, self.daemons = [], []

    # -- what there is

    def guest(self, name):
        if name not in self.guests:
            self.boot(name)
        return self.guests[name]

    def boot(self, *names):
        """Boots guests side by side."""
        fresh = [name for name in dict.fromkeys(names) if name not in self.guests]
        self.guests |= {name: Linux(self.lab, name, int(name[-1])) for name in fresh}
        for name in fresh:
            self.lab.booted(name)

    def nave(self, number):
        """The nave gateway of that number."""
        if number not in self.naves:
            self.naves[number] = Nave(self.lab, f"nave{number}", number)
        return self.naves[number]

    def pair(self, role):
        """Guest and gateway for all scenarios of that role with one peer."""
        pair = Pair(self.lab, role, self.nave(31 if role == INITIATOR else 2), self.guest("linux1" if role == INITIATOR else "linux2"))
        pair.prepare()
        return pair

    # -- a scenario of its own

    def fresh(self, role):
        """Nothing of an earlier scenario is left: gateways stopped, guests without SAs."""
        for frr in self.daemons:
            frr.stop()
        self.role, self.used, self.daemons = role, [], []
        for nave in self.naves.values():
            nave.stop()
        for linux in self.guests.values():
            if linux.charon_settings is not None:
                linux.terminate()
            linux.forget_log()
            # What the kernel asked charon for in vain is not asked for again as long as it waits.
            linux.shell("pkill -9 -x 'bgpd|ospfd|bfdd|nhrpd|staticd|zebra'; ip link del gre1 2>/dev/null; ip addr flush dev eth0; ip xfrm state flush")

    @property
    def hub_nbma(self):
        return f"192.0.2.{self.hub_number}"

    def place(self, nat, number):
        """Where a gateway of that number sits: keys for Linux.become and Nave.start."""
        if not nat:
            return {"nbma": f"192.0.2.{number}"}
        inside = NAT_INSIDE[nat]
        if nat not in self.nats:
            self.lab.nat(nat, nat_address(nat), inside)
            self.nats.add(nat)
        return {"nbma": f"192.168.{inside}.{number}", "gateway": f"192.168.{inside}.1", "bridge": nat}

    def linux_hub(self, spokes):
        """linux1 as the hub 192.0.2.1, tunnel address 10.255.0.1, with a route to the LAN of each spoke."""
        hub = self.guest("linux1")
        self.hub_number = LINUX_HUB
        hub.become(LINUX_HUB, self.hub_nbma, routes=[f"172.16.{number}.0/24 10.255.0.{number}" for number in spokes], identity="hub.example")
        hub.charon_with({})
        hub.speak("%any", {"child": {"start_action": "none"}})
        self.used.append(hub)
        return hub

    def nave_hub(self, spokes, control=None, **tunnel):
        """nave as the hub 192.0.2.2, tunnel address 10.255.0.2, with a route to the LAN of each Linux spoke."""
        self.hub_number = NAVE_HUB
        hub = self.nave(NAVE_HUB)
        hub.start(self.hub_nbma, tunnel={"identity": "hub.example"} | tunnel, control=control, spokes=spokes)
        self.used.append(hub)
        return hub

    def linux_spoke(self, number, nat=None, connection=None, shortcut=True, spare=None):
        """A guest, linux2 for number 21 and linux3 for 22, as a spoke with identity linuxN.example; an outbound packet to any peer begins IKE. It has routes
        to the hub, unless there is a spare one as well: then it has those only that it learns."""
        spoke = self.guest(f"linux{number - 19}")
        spoke.become(number, hubs=[self.hub_nbma, *([spare.nbma] if spare else [])],
                     routes=[] if spare else [f"{block} 10.255.0.{self.hub_number}" for block in ("172.16.0.0/16", "10.255.0.0/24")],
                     identity=f"{spoke.name}.example", start=False, shortcut=shortcut, **self.place(nat, number))
        spoke.charon_with({})
        spoke.speak("192.0.2.0/24", connection or {})
        spoke.start_frr()
        self.used.append(spoke)
        return spoke

    def nave_spoke(self, number, nat=None, **tunnel):
        """A nave gateway as a spoke with identity naveN.example."""
        spoke = self.nave(number)
        spoke.start(hub={"address": self.hub_nbma, "identity": "hub.example"}, tunnel={"identity": f"nave{number}.example"} | tunnel, **self.place(nat, number))
        self.used.append(spoke)
        return spoke

    def frr(self, gateway, *arguments):
        """FRR beside a nave gateway, until the scenario ends; arguments as of Frr."""
        gateway.frr = Frr(self.lab, gateway.name, *arguments)
        self.daemons.append(gateway.frr)
        self.used.append(gateway.frr)

    # -- what holds

    def reach(self, *pairs, count=5):
        """Each first one's host reaches the second one's."""
        for one, other in pairs:
            target = f"172.16.{other.number}.10"
            assert one.reaches(target, 25), f"{one.name} does not reach {other.name}"
            all_answered(lambda: one.ping(target, count))

    def direct(self, one, other, seconds=25):
        """Whether traffic of one's host to the other's goes without the hub within that time; each turn sends some."""
        return wait_until(lambda: one.ping(f"172.16.{other.number}.10", 5).ttls[-1:] == [PING_TTL], seconds)

    def logs(self):
        return {each.name: each.evidence() for each in self.used}
