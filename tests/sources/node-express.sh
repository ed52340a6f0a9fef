# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# One line for each of express's tests, as the Test Anything Protocol has it.
exec 3>&1 1>&2
status=0
mkdir -p node_modules && ln -s .. node_modules/express
NODE_PATH=/usr/share/nodejs:/usr/lib/nodejs mocha --require test/support/env --reporter tap --check-leaks test/ >run.log 2>&1 || status=$?
cat run.log
grep -aE '^(not )?ok [0-9]+ ' run.log >&3
exit $status
