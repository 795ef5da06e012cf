"""What makes nodes believe the centre: the keys, their succession, and the check before anything is signed."""
