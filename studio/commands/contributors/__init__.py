"""Commands of contributors: record, import, submit, status, withdraw, calibrate."""
