# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# One line for each of click's tests.
exec 3>&1 1>&2
status=0
PYTHONPATH=src python3 -m pytest -v -p no:cacheprovider tests >run.log 2>&1 || status=$?
cat run.log
grep -aE '^tests/.*(PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)' run.log | sed -E 's/ +\[ *[0-9]+%\]//' >&3
exit $status
