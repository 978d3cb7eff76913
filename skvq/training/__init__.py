"""The one training loop and what serves it: batches, schedule, early stopping, threads."""
