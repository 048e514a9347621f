"""The scripts of ``hack`` with the real programs that they call."""
