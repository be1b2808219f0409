"""Serve two hundred students from one process: queueing, patches, jobs, log."""
