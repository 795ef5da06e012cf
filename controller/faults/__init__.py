"""The centre's book of faults: what was wrong with which node from when to when, and who looks after it."""
