"""Drawing: skeletons over videos, contact sheets, and heads that are hidden."""
