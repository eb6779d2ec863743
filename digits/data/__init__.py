"""A data set: its entry in the catalogue, its splits."""
