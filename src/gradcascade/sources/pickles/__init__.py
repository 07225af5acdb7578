"""Pickles in zip files, as ``torch.save`` writes them, read without executing anything."""
