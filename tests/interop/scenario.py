"""What a scenario is: a name, what it plays, and the roles that nave takes in it."""

import dataclasses
from collections.abc import Callable

from pair import INITIATOR, RESPONDER

BOTH = (INITIATOR, RESPONDER)


@dataclasses.dataclass(frozen=True)
class Scenario:
    """`play` raises when something is not as it should be. It is called once for each role, with a `Pair`, or with a `World` when it is `wide`."""

    name: str
    play: Callable
    roles: tuple = BOTH
    wide: bool = False
