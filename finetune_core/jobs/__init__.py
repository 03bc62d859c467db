"""Whatever takes over a second: a queue in the database, workers beside the dashboard, one process for each job."""
