"""``loa openapi``: the description of the API, as JSON on standard output."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from controller.api import create_app
from controller.clock import system_clock
from controller.config import Config
from controller.db import Database
from controller.events import EventBus
from controller.services import build_services
from controller.wire.keys import load_keys
from controller.wire.pki import Authority


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Declare no options."""


def run(_options: argparse.Namespace) -> int:
    """Describe an application that is never started."""
    with tempfile.TemporaryDirectory() as folder:
        config, bus = Config(state=Path(folder)), EventBus()
        keys = load_keys(config.keys)
        authority = Authority(config.keys, keys, system_clock, names=("localhost",))
        services = build_services(config, Database(config.database, bus), bus, system_clock, authority)
        described = create_app(services).openapi()
    json.dump(described, sys.stdout, ensure_ascii=False, indent=2, sort_keys=True)
    sys.stdout.write("\n")
    return 0
