"""The rules of factflow: values, state machines and arithmetic, on the standard library alone."""
