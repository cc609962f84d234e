"""The intake: readings from the stream to current values, lake and findings, one process a partition."""
