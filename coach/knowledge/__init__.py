"""The library: read, embedded, indexed, found."""
