"""Benchmarks of netcomp: each prints its figures beside its goals and writes them down."""
