"""Conformance suites, fakes and tools for tests. Imported by tests only."""
