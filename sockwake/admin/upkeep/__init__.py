"""The care of instances that sleep: newer images and versions, and what sleep would starve."""
