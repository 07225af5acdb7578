"""Pages of the labs: what is drawn and said of tables that the labs give."""
