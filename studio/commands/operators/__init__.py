"""Commands of operators: workspaces, tasks, people, processing, serving, erasing, blurring, accounts."""
