"""python3 -m sockwake.admin.completion bash | zsh | fish: print a completion."""

import sys

from sockwake.admin.completion import bash, fish, zsh

SHELLS = {"bash": bash.script, "zsh": zsh.script, "fish": fish.script}

if __name__ == "__main__":
    print(SHELLS[sys.argv[1]](), end="")
