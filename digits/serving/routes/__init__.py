"""What the server answers: a router for each subject."""
