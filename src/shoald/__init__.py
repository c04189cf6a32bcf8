"""The Shoal server: files in, passages out; vectors in, clusters out."""
