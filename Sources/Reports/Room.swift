// Room in construction.
