"""What people must be told at once: lockouts, break-glass, holds that last. Seen by whoever has the right to it."""
