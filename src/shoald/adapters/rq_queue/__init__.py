"""Job ids through Redis by RQ: `queue` offers, `deliveries` brings them to workers, a `carried_job` is an entry."""
