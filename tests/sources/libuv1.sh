# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# One line for each of libuv's tests, as the Test Anything Protocol has it.
exec 3>&1 1>&2
set -e
./autogen.sh && ./configure && make -j2 test/run-tests
status=0
# it refuses to run as root
chown -R 1000:1000 .
UV_TEST_TIMEOUT_MULTIPLIER=8 setpriv --reuid 1000 --regid 1000 --clear-groups ./test/run-tests >run.log 2>&1 || status=$?
cat run.log
grep -aE '^(not )?ok [0-9]+ - ' run.log >&3
exit $status
