"""Doors for programs, on the page's port."""
