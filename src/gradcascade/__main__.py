"""``python -m gradcascade``."""

from gradcascade.cli.main import main

main()
