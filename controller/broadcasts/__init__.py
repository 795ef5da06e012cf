"""Broadcasts: one dated run to a target, with its approvals."""
