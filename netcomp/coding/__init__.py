"""Arrays to bytes and back: number formats and nothing else."""
