"""The search for better parameters, from a space to an experiment of DVC."""
