"""Detectors: each a pure function from evidence to findings."""
