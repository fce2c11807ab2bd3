"""Whole programs of some thirty lines; tests/integration/examples runs each."""
