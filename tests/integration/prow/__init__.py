"""What is generated for Prow, judged and run by Prow's own programs."""
