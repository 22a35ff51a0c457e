"""New keys for child and IKE SAs, begun by either side and by both at once, while a ping flood goes both ways and loses nothing."""

import contextlib
import functools
import itertools

from lab import Ping, wait_until
from scenario import Scenario

# Seconds between two packets; a guest's clock ticks a hundred times a second.
NAVE_INTERVAL, LINUX_INTERVAL = 0.002, 0.01
SERIAL = itertools.count()
DEAF = "INPUT -p udp --dport 500"
# The R flag of an IKE header behind the UDP header, as xt_u32 finds it.
DEAF_TO_RESPONSES = f"{DEAF} -m u32 --u32 '0>>22&0x3C@24&0x20=0x20'"


class Flood:
    """Pings both ways for some seconds; `lossless` waits for their end."""

    def __init__(self, pair, seconds):
        self.pair, self.seconds = pair, seconds
        self.target = f"172.16.{pair.linux.number}.10"

    def __enter__(self):
        self.file = f"flood-{self.pair.role}-{next(SERIAL)}.log"
        command = lambda interval, target: f"ping -q -n -i {interval} -c {int(self.seconds / interval)} -W 2 {target}"
        self.pair.linux.shell(f"ip netns exec lan {command(LINUX_INTERVAL, self.pair.nave.host)} >/run/flood 2>&1 </dev/null &")
        self.process = self.pair.lab.start(f"host-{self.pair.nave.name}", command(NAVE_INTERVAL, self.target), self.file)
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.process.terminate()
            return
        self.process.wait(timeout=self.seconds * 4 + 20)
        wait_until(lambda: "packets transmitted" in self.theirs(), self.seconds + 10)
        for who, output in (("nave's host", (self.pair.lab.directory / self.file).read_text()), ("Linux's host", self.theirs())):
            ping = Ping(output)
            assert 0 < ping.sent == ping.received, f"{who}: {ping.sent} sent, {ping.received} received: {output} {self.pair.lab.drops(self.pair.nave.name)}"

    def theirs(self):
        return self.pair.linux.shell("cat /run/flood")


def spis(pair):
    """The inbound SPIs of nave's child SAs, and the IKE SPIs."""
    children = {row["spi"] for row in pair.nave.sas(pair.linux.identity) if row["direction"] == "in"}
    return children, {row["initiator_spi"] for row in pair.nave.ike(pair.linux.identity)}


def settled(pair):
    """Exactly one IKE SA and one child SA pair on both sides."""
    def one_of_each():
        children, ikes = spis(pair)
        return len(children) == 1 and len(ikes) == 1 and len(pair.nave.sas(pair.linux.identity)) == 2 and pair.linux.established() == (1, 1)
    assert wait_until(one_of_each, 8, 0.2), f"{pair.nave.rows('sas')} {pair.nave.rows('ike')} {pair.linux.sas()}"


def rekeyed(pair, kind, before, seconds):
    index = ("child", "ike").index(kind)
    assert wait_until(lambda: (now := spis(pair)[index]) and not now & before[index], seconds), f"no new {kind} SA: {pair.nave.rows('sas')} {pair.nave.rows('ike')}"


def by_linux(pair, kind):
    pair.start()
    pair.works()
    with Flood(pair, 4):
        for _ in range(3):
            before = spis(pair)
            pair.linux.rekey(kind)
            rekeyed(pair, kind, before, 4)
    settled(pair)


def child_by_nave(pair):
    """nave makes a new SA after nine tenths of a thousand packets."""
    pair.start(nave={"child_lifetime_packets": 1000})
    pair.works()
    with Flood(pair, 5):
        for _ in range(2):
            before = spis(pair)
            rekeyed(pair, "child", before, 8)
    settled(pair)


def ike_by_nave(pair):
    pair.start(nave={"ike_lifetime": "10s"})
    pair.works()
    with Flood(pair, 10):
        rekeyed(pair, "ike", spis(pair), 10)
    settled(pair)


def group_guessed_wrong_by_linux(pair):
    pair.start(nave={"esp_proposals": ["aes-gcm-256/no-esn/p384"]}, linux={"child": {"esp_proposals": "aes256gcm16-curve25519-ecp384"}})
    pair.works()
    before = spis(pair)
    pair.linux.rekey("child")
    rekeyed(pair, "child", before, 4)
    assert "INVAL_KE" in pair.linux.log() and pair.proposals() == {"aes-gcm-256/no-esn/p384"}, pair.nave.rows("sas")
    pair.traffic()


def group_guessed_wrong_by_nave(pair):
    pair.start(nave={"esp_proposals": ["aes-gcm-256/no-esn/x25519", "aes-gcm-256/no-esn/p384"], "child_lifetime_packets": 1000},
               linux={"child": {"esp_proposals": "aes256gcm16-ecp384"}})
    pair.works()
    before = spis(pair)
    pair.nave.ping(f"172.16.{pair.linux.number}.10", 1000, 0.002)
    rekeyed(pair, "child", before, 4)
    assert "INVAL_KE" in pair.linux.log() and pair.proposals() == {"aes-gcm-256/no-esn/p384"}, pair.nave.rows("sas")
    pair.traffic()


@contextlib.contextmanager
def dropping(pair, rule):
    """Packets of that rule do not come in to the Linux peer for a while."""
    pair.linux.shell(f"iptables-legacy -I {rule} -j DROP")
    try:
        yield
    finally:
        pair.linux.shell(f"iptables-legacy -D {rule} -j DROP")


def let_nave_begin(pair, kind, name):
    """Returns once a CREATE_CHILD_SA request of nave is on the wire."""
    sniffer = pair.lab.start("wan", f"timeout 30 tcpdump -c 1 -nni w-{pair.nave.name} src {pair.nave.nbma} and udp port 500 and udp[26] == 36", name)
    if kind == "child":
        pair.nave.ping(f"172.16.{pair.linux.number}.10", 1000, 0.002)
    assert sniffer.wait(timeout=35) == 0, "nave did not begin"


def collision(pair, kind, meet):
    """Both send their request before they see the other's. When they `meet`, strongSwan gets nave's before the answer to its own; if not,
    nave's is repeated until it comes too late."""
    lifetime = {"child": {"child_lifetime_packets": 1000}, "ike": {"ike_lifetime": "24s"}}[kind]  # long enough to settle before its end
    pair.start(nave=lifetime | {"liveness_interval": "1h"})  # a question whether the deaf one lives would keep nave from its rekey
    pair.works()
    for turn in range({"child": 3, "ike": 1}[kind]):
        before, collisions = spis(pair), pair.nave.counter(f"ike-{kind}-rekey-collisions")
        pair.linux.forget_log()
        with dropping(pair, DEAF_TO_RESPONSES) if meet else contextlib.nullcontext():
            with dropping(pair, DEAF):
                let_nave_begin(pair, kind, f"collision-{pair.role}-{kind}-{turn}.log")
                pair.linux.rekey(kind)
                assert wait_until(lambda: "generating CREATE_CHILD_SA request" in pair.linux.log(), 3), "strongSwan did not begin"
            if meet:
                assert wait_until(lambda: "generating CREATE_CHILD_SA response" in pair.linux.log(), 6, 0.02), "nave's request did not come"
        rekeyed(pair, kind, before, 8)
        settled(pair)
        assert not meet or pair.nave.counter(f"ike-{kind}-rekey-collisions") > collisions, pair.nave.rows("counters")
    pair.traffic()


SCENARIOS = [Scenario(f"{kind}-rekey-by-linux", functools.partial(by_linux, kind=kind)) for kind in ("child", "ike")]
SCENARIOS += [Scenario("child-rekey-by-nave", child_by_nave), Scenario("ike-rekey-by-nave", ike_by_nave),
              Scenario("child-rekey-group-guessed-wrong-by-linux", group_guessed_wrong_by_linux),
              Scenario("child-rekey-group-guessed-wrong-by-nave", group_guessed_wrong_by_nave)]
SCENARIOS += [Scenario(f"{kind}-rekey-{name}", functools.partial(collision, kind=kind, meet=meet))
              for kind in ("child", "ike") for name, meet in (("collision", True), ("comes-late", False))]
