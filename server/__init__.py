"""What one process needs to serve a class: queueing, patches, jobs, log."""
