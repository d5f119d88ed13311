"""Lets `python -m ops` do what `dianfu` does."""

from ops.cli import main

if __name__ == "__main__":
    main()
