"""What trials of earlier studies are worth in a new one."""
