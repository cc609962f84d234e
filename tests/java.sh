#!/bin/sh
# Spark needs Java 17 or later. Where it is absent and this user may install packages, install it; otherwise say how.
set -eu
if command -v java >/dev/null 2>&1 || [ -x "${JAVA_HOME:-}/bin/java" ]; then exit 0; fi
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends default-jre-headless >/dev/null
else
  echo "The tests on Spark need Java 17 or later (Debian: apt-get install default-jre-headless); without it they are skipped" >&2
  exit 1
fi
