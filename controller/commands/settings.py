"""Settings that commands share: environment first, then what was typed."""

import argparse
from pathlib import Path

from pydantic import ValidationError

from controller.config import Config
from controller.errors import LoaError


class SettingsError(LoaError):
    """A setting is wrong."""

    code = "settings"


def add_state(parser: argparse.ArgumentParser) -> None:
    """Let a command be told where the centre keeps its things."""
    parser.add_argument("--state", type=Path, help="folder of database, media and keys (LOA_STATE, /var/lib/loa)")


def read_config(options: argparse.Namespace, *names: str) -> Config:
    """Build the settings; what was typed wins over the environment.

    Raises:
        SettingsError: listing every mistake.
    """
    typed = {name: value for name in ("state", *names) if (value := getattr(options, name, None)) is not None}
    try:
        return Config(**typed)
    except ValidationError as error:
        wrong = (f"LOA_{'.'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors())
        raise SettingsError("; ".join(wrong)) from None
