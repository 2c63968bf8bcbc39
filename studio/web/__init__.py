"""The studio: the web pages of contributors, annotators, reviewers and operators, and the API that takes come in by."""
