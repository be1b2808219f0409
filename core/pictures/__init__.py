"""Arrays to pictures and files."""
