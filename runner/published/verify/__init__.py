"""One release: what is published of it, held to what it should be."""
