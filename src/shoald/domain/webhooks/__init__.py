"""What a webhook's receiver is sent, and when again: pure functions."""
