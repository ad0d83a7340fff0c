"""AppArmor: the profile that a container is confined by."""

PROFILE = "sockwake-container"  # /etc/apparmor.d has it, and loads it before anything can wake
_LOADED = "/sys/kernel/security/apparmor/profiles"


def profile(loaded: str = _LOADED) -> str:
    """The profile's name; "" where AppArmor is off, or the profile is not loaded.

    Docker's own profile is the same, but only there after Docker has been started.
    """
    try:
        with open(loaded, encoding="utf-8") as file:
            names = {line.partition(" ")[0] for line in file}
    except OSError:
        return ""
    return PROFILE if PROFILE in names else ""
