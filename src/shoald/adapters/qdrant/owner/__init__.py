"""The process that owns Qdrant shards on one machine and answers the part of Qdrant's gRPC API that Shoal calls."""
