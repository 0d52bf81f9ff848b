# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
# The Debian packages that building, testing and demonstrating need; sourced by the scripts in contrib.

packages_build="gcc libc6-dev meson ninja-build pkg-config gettext libetpan-dev libssl-dev libsqlite3-dev
	libconfuse-dev libcsv-dev libgsasl-dev libseccomp-dev libcmocka-dev"
packages_run="python3 openssl dovecot-core dovecot-pop3d dovecot-imapd faketime libfaketime util-linux"
packages_test="zlib1g-dev clang g++ valgrind binutils time python3-pytest strace dnsmasq-base iproute2
	libdb5.3 libgdbm6 libidn12 libkyotocabinet16v5 libldap-2.5-0 liblockfile1 libltdl7 libmariadb3 libnsl2
	libpam-modules libpq5 libwrap0 locales parallel slurmctld slurmd slurm-client python3-yaml"
packages_bench="python3 openssl dovecot-core dovecot-pop3d fetchmail mpop getmail6 procmail curl util-linux"

# Install those of the named packages that are missing; says so before it does.
install_missing() {
	local package missing=() sudo=()

	for package in "$@"; do
		case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
		"install ok installed") ;;
		*) missing+=("$package") ;;
		esac
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		sudo=(sudo)
		if ! command -v sudo >/dev/null; then
			echo "missing packages, and no sudo to install them: ${missing[*]}" >&2
			return 1
		fi
	fi
	echo "installing with apt-get: ${missing[*]}"
	"${sudo[@]}" apt-get -q update
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "${missing[@]}"
}
