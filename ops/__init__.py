"""The `dianfu` command line: sets up, starts and looks after the three processes."""
