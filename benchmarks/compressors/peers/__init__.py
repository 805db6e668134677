"""Other libraries' codecs on the same vectors; each script runs in an environment of its own.

Nothing here imports netcomp or the rest of the benchmark: only what the script's own
environment has.
"""
