"""A data set of one's own: read from many formats, written as IDX files with a catalogue entry."""
