"""The nouns: requests, events, media, results and the shape of an extension point.

Everything here is a frozen value that travels unchanged through a thread, a pipe, a cluster or a test. Nothing of
ours is imported, and neither torch nor gradio.
"""
