"""The demo: a small commune as real processes on this machine, and a check that what was uploaded is what sounded."""
