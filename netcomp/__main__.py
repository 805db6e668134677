"""`python -m netcomp` is the `netcomp` command."""

from netcomp.cli import main

if __name__ == "__main__":
    main()
