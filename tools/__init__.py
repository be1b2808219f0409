"""Commands for whoever runs or maintains the app."""
