"""Commands of reviewers: what is doubted, what is checked, and how good the gate is."""
