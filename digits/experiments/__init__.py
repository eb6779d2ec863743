"""DVC's experiments and MLflow's runs, joined."""
