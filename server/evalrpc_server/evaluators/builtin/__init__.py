"""The server's own evaluators.

Each is one pure function over plain data. To add one, write the function with its parameters (a pydantic model, from
which its JSON Schema is made) in the file of its family, under the decorator `item_builtin` or `run_builtin`. A new
family is a new file and one line in `table.py`.
"""
