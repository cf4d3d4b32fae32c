"""Tar streams of image archives."""
