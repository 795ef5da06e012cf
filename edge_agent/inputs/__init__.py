"""Where the node hears its own sound. ``base`` is the contract; one module a driver."""
