"""Controls: what a comparison needs beside its entrants."""
