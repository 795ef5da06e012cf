"""What can be set is told to who sets it up."""

import argparse
from pathlib import Path

from controller.commands import serve
from controller.config import Config

CENTRE = Path(__file__).resolve().parents[2] / "docs" / "centre.md"


def test_every_setting_stands_in_the_help_or_in_docs_and_no_other() -> None:
    parser = argparse.ArgumentParser()
    serve.add_arguments(parser)
    by_option = {action.dest for action in parser._actions} - {"help"}
    table = CENTRE.read_text("utf-8").partition("| setting |")[2].partition("\n\n")[0]
    told = {word.removeprefix("LOA_").lower() for word in table.split("`") if word.startswith("LOA_")}
    told -= {"log", "public_name"}  # read before the settings are; named beside another
    assert by_option | told == set(Config.model_fields)
    assert by_option & told == set()
