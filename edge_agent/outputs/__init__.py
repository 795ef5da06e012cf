"""Where sound leaves the node. ``base`` is the contract; one module a driver."""
