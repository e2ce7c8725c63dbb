"""Who may do what: API keys, scopes, principals, rates and the audit log."""
