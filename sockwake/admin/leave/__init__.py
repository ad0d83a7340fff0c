"""The way out: an instance as files for another home, and its clients led to where it went."""
