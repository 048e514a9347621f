"""What people read at a terminal: colour or not, tables that fit it, and plain text in a pipe."""
