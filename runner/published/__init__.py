"""What is out there: what registries hold, as values."""
