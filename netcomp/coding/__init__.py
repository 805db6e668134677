"""Arrays to bytes and back: number formats, and the memory they are written to."""
