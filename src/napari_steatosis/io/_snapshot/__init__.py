"""What a snapshot is drawn of."""
