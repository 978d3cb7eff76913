"""A detector of anomalies around any estimator with a score."""
