"""Theorems of the papers held against runs: the quantity a theorem bounds, beside its bound."""
