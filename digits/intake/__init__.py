"""From the mirrors to sound, split data: download, validation, preprocessing."""
