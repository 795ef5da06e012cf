"""Receipts: what nodes say happened, as it came."""
