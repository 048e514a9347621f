"""What the runner asks of AWS, by boto3 and over the wire."""
