"""Browser components: Python, JavaScript and CSS of each."""
