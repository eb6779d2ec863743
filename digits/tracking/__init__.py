"""What git, DVC and MLflow remember."""
