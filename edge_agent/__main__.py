"""``python -m edge_agent`` is ``loa-agent``."""

import sys

from edge_agent.cli import main

sys.exit(main())
