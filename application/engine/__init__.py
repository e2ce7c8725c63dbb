"""The engine: runs executions by moving messages from route to route over the ledger."""
