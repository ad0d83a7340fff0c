"""The kinds of instance: the table of them, and of each the files that are made from. Imports nothing."""
