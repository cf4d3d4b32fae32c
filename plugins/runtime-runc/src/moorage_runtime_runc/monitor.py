"""The program: ``python3 -I -m moorage_runtime_runc.monitor --state DIR --socket PATH [--address PATH]``."""

from __future__ import annotations

import sys


def main() -> int:
    """Run a monitor; returns its exit status. See ``arguments`` for the arguments."""
    # Nothing here speaks TLS, and asyncio would load the library if it could: 4 MiB that every node would pay for.
    sys.modules.setdefault("ssl", None)  # type: ignore[arg-type]
    from moorage_runtime_runc import monitors

    return monitors.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
