"""Networks that no library keeps, or keeps in one width only."""
