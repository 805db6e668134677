"""The version of netcomp, in one place."""

__version__ = "0.1.0"
