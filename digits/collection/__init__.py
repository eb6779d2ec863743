"""What is served and corrected: kept, reviewed, compared with the training data, given back."""
