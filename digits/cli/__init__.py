"""The command line `digits`: a module for each group of commands."""
