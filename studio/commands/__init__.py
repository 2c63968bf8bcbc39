"""The commands of `kinesphere`: a wing for each persona, a module `<name>_command.py` for each command."""
