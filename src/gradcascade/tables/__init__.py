"""What the columns of every table are: fits and exports take names, order and types from here."""
