"""Trees of files, on disk and on the hub: each lists its files, and brings those that are opened to a local path."""
