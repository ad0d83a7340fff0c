"""All verbs of sockwake(8), in the order of its --help."""

from sockwake.admin import images
from sockwake.admin.change import verbs as changing
from sockwake.admin.make import verbs as making
from sockwake.admin.show import verbs as showing

VERBS = (*making.VERBS, *showing.VERBS, *changing.VERBS, *images.VERBS)
