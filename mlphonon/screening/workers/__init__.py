"""Who computes: processes and clusters, what a worker does, and what it leaves behind."""
