"""Every compressor: its bytes beside their limits, its speed beside a copy and beside peers."""
