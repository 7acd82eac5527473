"""The store's SQL, a file per subject: plain functions over a connection, run by the writer's or a reader's thread.

Functions that write take the arguments of several calls at once and return their results in order; see `GroupCommit`.
"""
