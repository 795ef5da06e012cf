"""What ``loa`` does, one command a file. Each adds its arguments and runs; errors are for ``cli.py`` to tell."""
