"""Turns a request into a result. The only room of modules/ that imports torch."""
