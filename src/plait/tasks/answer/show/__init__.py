"""What answers show: their part of the report, of terminals and of model cards."""
