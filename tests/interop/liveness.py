"""A peer that dies without a word: who notices, and that it comes back."""

from lab import wait_until
from scenario import Scenario

EAGER = {"liveness_interval": "1s"}
EAGER_IKE = {"liveness_tries": 3, "retransmit_first": "200ms"}


def linux_dies(pair):
    pair.start(nave=EAGER, ike=EAGER_IKE)
    pair.works()
    pair.linux.kill_charon()
    assert wait_until(lambda: "the peer is dead" in pair.nave.log(), 10), "nave did not notice"
    assert not pair.nave.sas(pair.linux.identity), pair.nave.rows("sas")
    pair.start(nave=EAGER, ike=EAGER_IKE)
    pair.works()


def nave_dies(pair):
    pair.start(linux={"dpd_delay": "1s"}, charon={"retransmit_tries": "2", "retransmit_timeout": "0.5"})
    pair.works()
    pair.nave.kill()
    assert wait_until(lambda: pair.linux.established() == (0, 0), 15, 0.3), pair.linux.sas()
    pair.begin()
    pair.works()


SCENARIOS = [Scenario("kill-linux-nave-notices", linux_dies), Scenario("kill-nave-linux-notices", nave_dies)]
