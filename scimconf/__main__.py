"""``python -m scimconf`` is ``scimconf``."""

from scimconf.cli import main

if __name__ == "__main__":
    main()
