"""The completions of bash, zsh and fish, made of the declarations of verbs and options.

`python3 -m sockwake.admin.completion SHELL` prints one; debian/rules calls that when the package is
built.
"""
