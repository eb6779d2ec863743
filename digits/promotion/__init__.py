"""From a commit's model to the champion of the registry."""
