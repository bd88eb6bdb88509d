"""What a laboratory wrote: text read whole or not at all; the one place that reads text."""
