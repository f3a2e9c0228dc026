"""The ground floor: types, errors, border checks and recipes. Stands on nothing else of ours."""
