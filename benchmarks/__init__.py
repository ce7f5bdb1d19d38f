"""Measurements that need the whole package; each prints a table and writes JSON."""
