"""A Prow of one's own on loopback: Prow's programs, and what they need around them."""
