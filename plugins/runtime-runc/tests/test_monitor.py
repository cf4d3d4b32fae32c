from __future__ import annotations

import subprocess
import sys


def test_ssl_is_kept_out_before_anything_could_load_it() -> None:
    code = (
        "import sys\n"
        "from moorage_runtime_runc import monitor\n"
        "assert 'asyncio' not in sys.modules\n"
        "sys.argv = ['monitor', '--nonsense']\n"
        "assert monitor.main() == 2\n"
        "assert sys.modules['ssl'] is None and 'asyncio' in sys.modules and '_ssl' not in sys.modules\n"
        "assert '_hashlib' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-I", "-c", code], check=True)
