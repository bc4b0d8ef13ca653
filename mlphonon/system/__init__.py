"""What the machine is asked for: threads, child processes, silence of noisy libraries."""
