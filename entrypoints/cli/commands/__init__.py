"""The commands of `factflow`, one module a group."""
