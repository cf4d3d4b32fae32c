"""The task manager: ``managers`` answers the slot, ``bundles`` and ``records`` are its disk, ``shims`` its peers."""
