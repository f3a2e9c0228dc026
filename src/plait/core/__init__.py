"""The ground floor: types, errors, border checks and recipes. Imports no other room."""
