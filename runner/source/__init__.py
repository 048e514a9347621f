"""What was pushed, and what git says of it."""
