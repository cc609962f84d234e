"""The front door for hands on a keyboard."""
def main() -> None:
    raise SystemExit(0)
