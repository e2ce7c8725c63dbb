"""What the operating system gives: the time, and identifiers from it."""
