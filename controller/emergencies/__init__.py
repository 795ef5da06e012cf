"""What must be heard at once: two people or a break-glass reason, a cancel window, all-clear, drills."""
