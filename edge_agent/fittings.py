"""What is fitted to this machine, as its options say: what sounds, what listens, the amplifier's pin, the button."""

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from edge_agent.amplifier.deadman import DeadMan
from edge_agent.amplifier.drivers import new_pin
from edge_agent.amplifier.switch import DEAD_S, Amplifier
from edge_agent.button.drivers import new_button
from edge_agent.button.watch import ButtonWatch
from edge_agent.config import Options
from edge_agent.faults import FaultBook
from edge_agent.inputs.base import Input
from edge_agent.inputs.card import CardInput
from edge_agent.inputs.virtual import Air, VirtualInput
from edge_agent.outputs import mixer
from edge_agent.outputs.base import Output
from edge_agent.outputs.card import CardOutput
from edge_agent.outputs.virtual import VirtualOutput, of_this_machine, unheard


def output_of(
    options: Options, air: Air | None = None, *, utc_minus_monotonic_ns: Callable[[], int] = of_this_machine
) -> Output:
    """Make the output; a virtual one sounds into the air, and tells instants by the clock of the machine or another."""
    if options.output == "card":
        return CardOutput(options.device)
    return VirtualOutput(
        options.state.wav,
        options.state.instants,
        utc_minus_monotonic_ns=utc_minus_monotonic_ns,
        on_consumed=unheard if air is None else air.put,
    )


def input_of(options: Options, air: Air | None) -> Input:
    """Make what listens; a virtual one hears nothing of a real output."""
    if options.input == "card":
        return CardInput(options.input_device, simulated=options.input_simulated)
    return VirtualInput(air if options.output == "virtual" else None)


def amplifier_of(
    options: Options,
    faults: FaultBook,
    *,
    now: Callable[[], datetime],
    sounds: Callable[[], bool],
    starts: Callable[[timedelta], Iterable[datetime]],
) -> Amplifier | None:
    """Make what powers the amplifier around plays; None where no pin is given."""
    if options.amplifier == "none":
        return None
    return Amplifier(
        DeadMan(new_pin(options.amplifier), hold_s=DEAD_S),
        faults,
        now=now,
        sounds=sounds,
        starts=starts,
        lead=timedelta(milliseconds=options.amplifier_lead_ms),
    )


def button_of(options: Options, faults: FaultBook, press: Callable[[], int]) -> ButtonWatch | None:
    """Make what ends all sound at the node; None where there is none."""
    if options.button == "none":
        return None
    return ButtonWatch(new_button(options.button), faults, monotonic_s=time.monotonic, press=press)


def silenced_by(options: Options) -> str | None:
    """Say which control of the card's mixer lets nothing through; None while it does, or where there is no card."""
    return mixer.silenced_by(mixer.mixer_of(options.device)) if options.output == "card" else None
