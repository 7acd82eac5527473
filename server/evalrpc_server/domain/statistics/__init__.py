"""The statistics of evaluations: pure functions of numbers, without I/O and without dependencies.

Each formula names its source. The tests hold them to scipy and statsmodels; simulations hold the whole to what it promises
(`server/docs/statistics.md`).
"""
