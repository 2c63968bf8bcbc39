"""The catalog's people: accounts, invitations, sign-ins, what contributors declare, and the audit trail."""
