"""`python -m studio` is the `kinesphere` command."""

from studio.app import main

main()
