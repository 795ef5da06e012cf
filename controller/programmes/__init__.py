"""What a session consists of: programmes, their items, and templates that a commune reuses."""
