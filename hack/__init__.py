"""Set-up, demo and benchmark."""
