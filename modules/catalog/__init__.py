"""What lies in models/: read from file headers alone, without torch, so that the page lists it at once."""
