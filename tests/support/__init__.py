"""What skips or fails a test, and what several tests judge by."""
