"""A program in a mount and pid namespace of its own, that dies with whoever has started it."""

from __future__ import annotations

# In front of its command line. What it started and mounted goes with it. unshare itself would pass
# over the signals that end its parent.
ARGV = ["setpriv", "--pdeathsig=KILL", "--"]
ARGV += ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]
