"""Moves requests to an engine and events back. Knows no task and no torch."""
