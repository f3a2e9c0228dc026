"""EfficientNet-Lite2 (Tan & Le 2019): the packaged image encoder."""
