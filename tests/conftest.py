"""What holds for all tests."""

from hypothesis import settings

# No verdict depends on how fast the machine is, on chance, or on what an earlier run has found.
settings.register_profile("netcomp", deadline=None, derandomize=True, database=None)
settings.load_profile("netcomp")
