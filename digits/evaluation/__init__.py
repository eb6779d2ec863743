"""What a model is worth, measured on the test split."""
