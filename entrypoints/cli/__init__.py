"""The two command lines: `python -m factflow_server` for who runs a server, `factflow` for who uses one.

Nothing slow is imported for `--help`: a command imports what it needs when it runs.
"""
