"""Sound only: bytes in, bytes and numbers out. No network, no database, no clock.

Empty on purpose: a node imports ``audio.decode`` alone and must not load numpy with it.
"""
