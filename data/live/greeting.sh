# SPDX-License-Identifier: GPL-3.0-or-later
# The greeting of a console: what state is this computer in, and how does one leave? Once a console, and
# never for long.
# shellcheck shell=sh
case $-:${TERM:-} in
*i*:?*)
	if [ -z "${LETHE_GREETED:-}" ] && [ -t 1 ] && [ -x /usr/bin/lethe ]; then
		export LETHE_GREETED=1
		# It says itself what is not well; only its absence must be told.
		timeout 40 /usr/bin/lethe status || [ $? -lt 124 ] ||
			echo "The state of this computer cannot be told in time. Ask again: lethe status"
		[ ! -x /usr/bin/lethe-connect ] || echo "Connect to Tor: lethe-connect"
		echo "Turn off: lethe poweroff"
	fi
	;;
esac
