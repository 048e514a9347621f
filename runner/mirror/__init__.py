"""A release, with all that is attached to it, copied to another registry or into a layout folder, digest by digest."""
