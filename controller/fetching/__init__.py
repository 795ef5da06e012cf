"""The one way in which the centre opens an address that somebody typed."""
