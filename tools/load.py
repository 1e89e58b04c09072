"""How busy the machine is: limits of time grow with it, so no test depends on time."""

import time
from functools import cache

QUIET = 0.16  # seconds of the work below on the machine that the limits suit


@cache
def factor() -> float:
    """How many times longer than usual work takes here, at least 1; measured once.

    Other processes, a slow processor and a quota of a container all count.
    """
    start = time.perf_counter()
    count = 0
    while count < 3_000_000:
        count += 1
    return max(1.0, (time.perf_counter() - start) / QUIET)
