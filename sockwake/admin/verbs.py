"""All verbs of sockwake(8), in the order of its --help."""

from sockwake.admin.access import verbs as access
from sockwake.admin.backup import verbs as backing_up
from sockwake.admin.change import verbs as changing
from sockwake.admin.images import verbs as images
from sockwake.admin.leave import forward_verbs as forwarding
from sockwake.admin.leave import verbs as leaving
from sockwake.admin.make import verbs as making
from sockwake.admin.measure import verbs as measuring
from sockwake.admin.show import verbs as showing
from sockwake.admin.steer import verbs as steering
from sockwake.admin.upkeep import maintain_verbs
from sockwake.admin.upkeep import verbs as upkeep

VERBS = (
    *making.VERBS,
    *showing.VERBS,
    *steering.VERBS,
    *access.VERBS,
    *changing.VERBS,
    *upkeep.VERBS,
    *backing_up.VERBS,
    *maintain_verbs.VERBS,
    *leaving.VERBS,
    *forwarding.VERBS,
    *images.VERBS,
    *measuring.VERBS,
)
