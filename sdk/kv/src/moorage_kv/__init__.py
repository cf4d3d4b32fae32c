"""The one door to LMDB. ``Store`` is the whole public surface, with the transactions and tables it hands out."""

from moorage_kv.stores import State, Stats, Store
from moorage_kv.txns import ReadTable, ReadTxn, WriteTable, WriteTxn

__all__ = ["ReadTable", "ReadTxn", "State", "Stats", "Store", "WriteTable", "WriteTxn"]
