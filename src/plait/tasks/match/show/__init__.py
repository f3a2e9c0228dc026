"""What matching shows: its part of the report, of terminals and of model cards."""
