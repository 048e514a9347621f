"""What the author of a release does: prepare its artifacts on a branch, point stable at it, tag it."""
