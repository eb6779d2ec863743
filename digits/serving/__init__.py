"""The server: a recogniser behind HTTP, with its limits, its metrics and its page."""
