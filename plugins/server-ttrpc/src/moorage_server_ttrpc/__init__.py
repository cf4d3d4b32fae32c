"""The ttrpc server, where shims deliver the events of their tasks."""
