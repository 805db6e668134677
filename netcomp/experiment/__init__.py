"""Experiments: specs, what they resolve to, and running them."""
