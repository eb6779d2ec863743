"""What every other package stands on: errors, files, tables, YAML."""
