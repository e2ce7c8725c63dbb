"""`python -m factflow_server`: the server's command line, imported when it runs and not before."""

import sys


def main() -> None:
    from entrypoints.cli.starting_up import server  # noqa: PLC0415  # importing a module does nothing

    sys.exit(server())


if __name__ == "__main__":
    main()
