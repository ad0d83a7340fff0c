"""The kinds of instance: their table, and a folder of templates for each. Imports nothing."""
