"""The same rounds by others; each script runs in an environment of its own.

Nothing here imports netcomp or the rest of the benchmark: only what the script's own
environment has.
"""
