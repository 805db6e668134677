"""The network shell: sockets, loops, pacing; what is said is decided in `protocol`."""
