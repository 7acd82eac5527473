"""Language models that judge.

`questions` puts a case into words, `forms` says what an answer looks like and reads it, `models` asks, `asking` asks once
more where the answer is no verdict, `strategies` asks several, `reducers` makes one verdict of many.
"""
