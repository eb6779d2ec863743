"""A trained model, run: where it comes from and what it answers."""
