"""``python3 -I -m moorage_core`` is ``mooraged``."""

from moorage_core import cli, processes

if __name__ == "__main__":
    processes.leave(cli.main())
