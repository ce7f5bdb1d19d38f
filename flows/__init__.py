"""Prefect flows: order and parameters, one screen each."""
