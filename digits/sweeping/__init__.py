"""The search for better parameters: many short trainings, judged on the validation images."""
