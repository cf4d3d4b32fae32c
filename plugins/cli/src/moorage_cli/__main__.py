"""``python -m moorage_cli``."""

from moorage_cli.main import main

main()
