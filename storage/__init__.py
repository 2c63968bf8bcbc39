"""What writes: the workspace, its catalog and its shards; publishing, exporting and erasing."""
