#!/bin/sh
# The browser tests drive a real Chromium. Where none is found it is installed from Debian's packages if we may.
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null 2>&1 && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing Chromium from Debian's packages for the browser tests."
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null && exit 0
fi
echo "The tests need Chromium: install it (for example: sudo apt-get install chromium) and run make test again."
exit 1
