# SPDX-License-Identifier: GPL-3.0-or-later
# The greeting of a console: what state is this computer in? Once a login, and never for long: a status
# that does not come is told by its absence.
# shellcheck shell=sh
case $-:${TERM:-} in
*i*:?*)
	if [ -z "${LETHE_GREETED:-}" ] && [ -t 1 ] && [ -x /usr/bin/lethe ]; then
		export LETHE_GREETED=1
		timeout 5 /usr/bin/lethe status ||
			echo "The state above is not all well. \`lethe status\` asks again."
	fi
	;;
esac
