"""What carries a ready job to a worker."""
