"""A study's report on the loopback address, kept up to date while it is measured."""
