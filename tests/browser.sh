#!/bin/sh
# The page tests need a real Chromium and a Chinese font. Where they are absent and this user may install packages,
# install them; otherwise say how. CHROMIUM names another binary.
set -eu
found=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
if [ -n "$found" ]; then exit 0; fi
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk >/dev/null
else
  echo "The page tests need Chromium and a CJK font: install them (Debian: apt-get install chromium fonts-noto-cjk)" >&2
  echo "or name a binary: CHROMIUM=/path/to/chrome make test" >&2
  exit 1
fi
