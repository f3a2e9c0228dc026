"""What classification displays: its part of the report, tables for a terminal, model cards."""
