"""The button at the node: pressed, it ends what sounds, without any network."""
