"""The winner's map: over uplink × downlink rates, which method reaches the target first."""
