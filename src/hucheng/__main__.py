"""``python -m hucheng``."""

from hucheng.cli import main

if __name__ == "__main__":
    main()
