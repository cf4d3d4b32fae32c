"""The task manager and the controller of sandboxes: ``managers`` and ``controllers`` answer the slots, ``bundles`` and
``records`` are their disk, ``shims`` their peers."""
