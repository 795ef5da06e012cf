"""``python -m tests.e2e.tiny_agent --state DIR``."""

import argparse
import asyncio
from pathlib import Path

from . import __doc__ as about
from .agent import Agent


def main() -> None:
    parser = argparse.ArgumentParser(prog="tiny_agent", description=about)
    parser.add_argument("--state", type=Path, required=True)
    asyncio.run(Agent(parser.parse_args().state).run())


if __name__ == "__main__":
    main()
