"""Plants a bug: compiles a module of the timeline anew with one expression changed."""

import importlib.util
import sys
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import NamedTuple
from unittest import mock

from edge_agent.protocol import ahead, guards, listings, moment, quiet, standing, timeline
from tests.edge_agent.protocol.walks import Rules

_NUMBER = count(1)

_STEPS = (moment, quiet, standing, guards, ahead, timeline)
"""What ``step`` is made of; each imports from those before it."""


class Bug(NamedTuple):
    """One expression of one module, and what stands there by mistake."""

    module: ModuleType
    right: str
    wrong: str

    def planted(self) -> Rules:
        """Give the rules with this bug in them; everything else is the real code."""
        if self.module is listings:
            return Rules(timeline=timeline, listings=_compiled(listings, self.right, self.wrong))
        with mock.patch.dict(sys.modules):
            mutant = _compiled(self.module, self.right, self.wrong)
            sys.modules[self.module.__name__] = mutant
            for host in _STEPS[_STEPS.index(self.module) + 1 :]:
                sys.modules[host.__name__] = mutant = _compiled(host, "", "")
        return Rules(timeline=mutant, listings=listings)


def _compiled(module: ModuleType, right: str, wrong: str) -> ModuleType:
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    if right:
        assert source.count(right) == 1, f"{module.__name__} no longer says once: {right}"
        source = source.replace(right, wrong)
    name = f"edge_agent.protocol.mutant_{next(_NUMBER)}"
    spec = importlib.util.spec_from_loader(name, loader=None)
    assert spec is not None
    mutant = importlib.util.module_from_spec(spec)
    sys.modules[name] = mutant  # msgspec looks its types up there
    exec(compile(source, f"<{name}>", "exec"), mutant.__dict__)  # noqa: S102 -- our own source, one expression changed
    return mutant
