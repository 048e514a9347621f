"""What ECR Public on this machine keeps and decides, without a socket."""
