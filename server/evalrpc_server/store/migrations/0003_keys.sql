-- Keys by which the server recognises what it has issued. `value` is hexadecimal.
CREATE TABLE keys (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
