"""The `kinesphere` command, a wing a persona."""
