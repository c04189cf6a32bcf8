"""Takes jobs from the queue and runs them under their fence."""
