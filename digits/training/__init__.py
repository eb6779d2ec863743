"""The networks, their training, and what it leaves."""
