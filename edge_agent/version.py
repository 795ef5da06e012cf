"""The one place that knows the version of Loa."""

__version__ = "0.1.0"
