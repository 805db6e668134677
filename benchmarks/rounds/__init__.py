"""Rounds a second of netcomp, of bare sockets and of other libraries."""
