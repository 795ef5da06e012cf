"""Powers the amplifier while something sounds that no agent has placed: a claim code, or a tone that somebody typed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from edge_agent.amplifier.drivers import new_pin
from edge_agent.config import Options


@contextmanager
def powered(options: Options) -> Iterator[None]:
    """Switch it on, wait until it is up, and switch it off behind.

    Raises:
        ConfigError: the pin has no such name.
        OSError: it cannot be switched, or an agent that runs has it.
    """
    if options.amplifier == "none":
        yield
        return
    pin = new_pin(options.amplifier)
    try:
        pin.put(on=True)
        time.sleep(options.amplifier_lead_ms / 1000)
        yield
    finally:
        pin.close()
