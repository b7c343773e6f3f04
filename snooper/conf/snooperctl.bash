# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash
# Completion of snooperctl(1) for bash: verbs, options, and names that the daemon knows.

# _snooperctl_names SOCKET PREFIX: at most 200, from a daemon that answers within a second.
_snooperctl_names() {
	local pattern=$2
	# A pattern is of letters, digits, hyphens, underscores and dots; others are left to the reader.
	[[ $pattern =~ ^[-a-zA-Z0-9_.]*$ ]] || return 0
	timeout 1 snooperctl ${1:+-s "$1"} names 2>/dev/null |
		awk -v start="$pattern" 'NR > 1 && index($1, start) == 1 && !seen[$1]++' |
		awk 'NR <= 200 { print $1 }'
}

# _snooperctl_endpoints SOCKET
_snooperctl_endpoints() {
	timeout 1 snooperctl ${1:+-s "$1"} status 2>/dev/null | awk '$1 == "endpoint" { print $2 }'
}

_snooperctl() {
	local verbs='names watch why policy status proxy reload match'
	local options='-s --socket -f --file --json --endpoint --port --verdicts -h --help --version'
	local word=${COMP_WORDS[COMP_CWORD]} verb='' socket='' i

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-s | --socket) socket=${COMP_WORDS[++i]-} ;;
		-f | --file | --endpoint | --port) ((++i)) ;;
		-*) ;;
		*)
			verb=${COMP_WORDS[i]}
			break
			;;
		esac
	done
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	-s | --socket | -f | --file)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	--endpoint)
		mapfile -t COMPREPLY < <(compgen -W "$(_snooperctl_endpoints "$socket")" -- "$word")
		return
		;;
	--port) return ;;
	esac
	case $verb:$word in
	*:-*) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word") ;;
	:*) mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$word") ;;
	names:* | watch:*)
		# One pattern; what comes behind it is a mistake.
		((i == COMP_CWORD - 1)) && mapfile -t COMPREPLY < <(_snooperctl_names "$socket" "$word")
		;;
	proxy:*) ((i == COMP_CWORD - 1)) && mapfile -t COMPREPLY < <(compgen -W status -- "$word") ;;
	esac
	return 0
}
complete -F _snooperctl snooperctl
