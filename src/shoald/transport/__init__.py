"""gRPC in and out; the only importer of the generated contract."""
