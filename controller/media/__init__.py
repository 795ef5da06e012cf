"""Bodies for nodes and browsers: processed recordings and plan bodies, by their hash."""
