"""Did a model learn, and from what? Tests of noise, swaps, gradients, ablations and baselines, and their verdict.

The tests take functions (scores, outputs, a loss) and records; a task says what these are for its model.
"""
