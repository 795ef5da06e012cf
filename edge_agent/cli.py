"""What people type on a node: ``loa-agent run``, ``enroll``, ``self-test``. Mistakes end in one clear line."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edge_agent.boot_file import BootFile, read_boot_file
from edge_agent.config import Options, StateDir, default_state
from edge_agent.ending import LastResort, alone
from edge_agent.errors import AgentError, ConfigError
from edge_agent.version import __version__

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit status."""
    arguments = _parser().parse_args(argv)
    level = logging.DEBUG if arguments.verbose else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    state = StateDir(arguments.state or default_state())
    try:
        if arguments.state is not None:
            _prepare(state)
        status: int = arguments.command(arguments, state)
    except AgentError as error:
        print(f"loa-agent: {error}", file=sys.stderr)  # noqa: T201 - the one line for whoever typed it
        return 1
    except OSError as error:
        where = error.filename or state.root
        print(f"loa-agent: {where}: {error.strerror or error}: mend it, or give another --state", file=sys.stderr)  # noqa: T201 - as above
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="loa-agent", description="Runs one node: one set of public loudspeakers.")
    parser.add_argument("--version", action="version", version=f"loa-agent {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--state",
        type=Path,
        default=default_state(),
        metavar="DIR",
        help="state directory (default: LOA_AGENT_STATE, or %(default)s)",
    )
    common.add_argument("-v", "--verbose", action="store_true", help="say more")
    sound = argparse.ArgumentParser(add_help=False)
    sound.add_argument("--output", choices=("card", "virtual"), default="card", help="sound card, or paced WAV file")
    sound.add_argument("--device", metavar="NAME", help="sound card, by name or part of it (default: the system's)")
    sound.add_argument("--input", choices=("card", "virtual", "none"), default="none", help="what listens to the sound")
    sound.add_argument("--input-device", metavar="NAME", help="its card, as --device")
    sound.add_argument(
        "--input-kind",
        choices=("loopback", "line", "microphone"),
        default="microphone",
        help="loopback or line prove that a signal leaves (E2), a microphone that it is heard (E3)",
    )
    sound.add_argument("--input-simulated", action="store_true", help="it is no real one: mark what it proves")
    sound.add_argument(
        "--amplifier",
        default="none",
        metavar="PIN",
        help="pin that powers the amplifier: gpio:gpiochip0:17, gpio:gpiochip0:17:low, file:PATH (default: none)",
    )
    sound.add_argument(
        "--amplifier-lead-ms", type=int, default=500, metavar="MS", help="how long before a start (default: 500)"
    )
    sound.add_argument(
        "--button", default="none", metavar="LINE", help="button that ends what sounds, as --amplifier (default: none)"
    )

    sound.add_argument(
        "--download-kbit-s", type=int, metavar="N", help="ceiling of what is fetched ahead of time (default: none)"
    )

    run = commands.add_parser("run", parents=[common, sound], help="play what the centre orders, until stopped")
    run.add_argument("--slots", type=Path, metavar="DIR", help="take updates, laid down in DIR (default: none)")
    run.add_argument(
        "--trial-s", type=float, default=900.0, metavar="S", help="how long an update has to show itself (default: 900)"
    )
    run.set_defaults(command=_run)
    enroll = commands.add_parser("enroll", parents=[common, sound], help="make a key, show a claim code, be adopted")
    centre = enroll.add_mutually_exclusive_group(required=True)
    centre.add_argument("--server", metavar="URL", help="the centre, as https://host:port")
    centre.add_argument("--boot-file", type=Path, metavar="FILE", help="loa.toml of the boot partition, which says all")
    enroll.add_argument(
        "--ca-sha256", metavar="HEX", help="SHA-256 of the centre's authority certificate (DER); else system trust"
    )
    enroll.add_argument("--timeout", type=float, default=86_400.0, metavar="S", help="give up after (default: a day)")
    enroll.add_argument("--qr", action="store_true", help="draw the code here, and as claim.svg and claim.png in DIR")
    enroll.add_argument("--speak", action="store_true", help="say the code aloud through the output (espeak-ng)")
    enroll.set_defaults(command=_enroll)
    update = commands.add_parser("update", help="lay updates down; a unit runs it, not a person")
    update.add_argument("inbox", type=Path, metavar="INBOX", help="where the agent asks")
    update.add_argument("slots", type=Path, metavar="SLOTS", help="where environments lie")
    update.set_defaults(command=_update, state=None, verbose=False)
    test = commands.add_parser("self-test", parents=[common, sound], help="check key, store, disk and output")
    test.set_defaults(command=_self_test)
    return parser


def _prepare(state: StateDir) -> None:
    try:
        state.root.mkdir(parents=True, exist_ok=True, mode=0o750)
    except OSError as error:
        raise ConfigError(f"state directory {state.root} cannot be made: {error.strerror}") from None
    if not os.access(state.root, os.W_OK):
        raise ConfigError(f"state directory {state.root} is not writable: give it to this user, or use --state")


def _options(arguments: argparse.Namespace, state: StateDir) -> Options:
    return Options(
        state=state,
        output=arguments.output,
        device=arguments.device,
        input=arguments.input,
        input_device=arguments.input_device,
        input_kind=arguments.input_kind,
        input_simulated=arguments.input_simulated,
        amplifier=arguments.amplifier,
        amplifier_lead_ms=arguments.amplifier_lead_ms,
        button=arguments.button,
        bulk_kbit_s=arguments.download_kbit_s,
    )


def _run(arguments: argparse.Namespace, state: StateDir) -> int:
    from edge_agent.agent import Agent  # noqa: PLC0415 - `--help` need not wait for the wire's libraries

    last_resort = LastResort()

    async def work() -> None:
        agent = Agent(replace(_options(arguments, state), slots=arguments.slots, trial_s=arguments.trial_s))
        agent.on_end = last_resort.arm
        await agent.run()

    with alone(state):
        try:
            asyncio.run(work())
        except* AgentError as group:
            raise group.exceptions[0] from None
    return 0


def _enroll(arguments: argparse.Namespace, state: StateDir) -> int:
    from edge_agent import claim, pieces  # noqa: PLC0415 - as above
    from edge_agent.enroll import enroll  # noqa: PLC0415 - as above

    where = read_boot_file(arguments.boot_file) if arguments.boot_file else BootFile(arguments.server)
    options = _options(arguments, state)

    async def tell(code: str, adopt_url: str | None) -> None:
        if arguments.qr:
            said = claim.link(adopt_url, code)
            claim.keep_pictures(state, said)
            print(claim.picture(said), flush=True)  # noqa: T201 - a person scans it here
        if arguments.speak:
            await claim.say(options, pieces.spelled("Mã kích hoạt", code))

    with alone(state):
        asyncio.run(
            enroll(
                options,
                server=where.server,
                ca_sha256=arguments.ca_sha256 or where.ca_sha256,
                code=where.claim,
                timeout_s=arguments.timeout,
                on_code=tell,
                show=lambda line: print(line, flush=True),  # noqa: T201 - a person reads the claim code here
            )
        )
        claim.forget_pictures(state)
    return 0


def _update(arguments: argparse.Namespace, _: StateDir) -> int:
    from edge_agent.updates.layout import CARD_KEY, Inbox, Opt  # noqa: PLC0415 - as above
    from edge_agent.updates.slots import Slots  # noqa: PLC0415 - as above

    for each in (arguments.inbox, arguments.slots):
        if not each.is_dir():
            raise ConfigError(f"{each}: there is no such folder")
    Slots(Inbox(arguments.inbox), Opt(arguments.slots), card_key=CARD_KEY).work()
    return 0


def _self_test(arguments: argparse.Namespace, state: StateDir) -> int:
    from edge_agent.selftest import self_test  # noqa: PLC0415 - as above

    lines = self_test(_options(arguments, state))
    for line in lines:
        print(line)  # noqa: T201 - the result
    return 0 if all(line.ok for line in lines) else 1
