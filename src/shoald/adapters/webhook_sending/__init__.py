"""Posts to receivers of webhooks."""
