"""BERT (Devlin et al. 2019) and MiniLM, the packaged text encoder."""
