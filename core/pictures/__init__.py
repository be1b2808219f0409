"""Arrays to pictures for the pages, and to files and figures for download."""
