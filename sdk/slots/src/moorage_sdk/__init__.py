"""The contracts of moorage. Every other distribution imports this one; this one imports none of them.

A *slot* is a typed interface with a name, a *plugin* fills a slot, a *hook* announces a moment or collects
contributions. The modules are named after what they hold: ``slots`` for the machinery, ``content``, ``snapshots``,
``tasks`` and so on for one slot each, ``errors``, ``mounts``, ``digests`` for the values that travel between them.
"""
