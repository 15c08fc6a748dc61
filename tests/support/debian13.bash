#!/usr/bin/env bash
# Debian 13 beside the system that this runs on: a chroot, made once with debootstrap and kept, in which Tutti is built and tested.
# Sourced by bootstrap.
# SPDX-License-Identifier: LGPL-3.0-or-later
#
# Whoever is in the chroot is in mount and process namespaces of its own: when it ends, however it does, or whoever has started it, nothing
# is mounted any more and no process is left. The system in it can only be read; Tutti's sources, also only to be read, are in /tutti,
# its build tree is build-debian13 beside build, and /tmp is in there, too.
#
# TUTTI_CACHE    where the chroot is kept: in tutti/debian13 below it; otherwise XDG_CACHE_HOME or /var/cache
# TUTTI_MIRROR   where packages come from; otherwise the mirror that this system's apt uses

debian13_build=build-debian13
debian13_root=${TUTTI_CACHE:-${XDG_CACHE_HOME:-/var/cache}}/tutti/debian13

# The mirror of Debian that apt uses here.
debian13_mirror ()
{
  local uri=
  # shellcheck disable=SC2016   # apt's variables
  has apt-get && uri=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' 2> /dev/null |
                       awk '$1 == "Debian" { print $2; exit }')
  printf '%s\n' "${TUTTI_MIRROR:-${uri:-http://deb.debian.org/debian}}"
}

# debian13_reaches MIRROR: by apt's own means, so by its proxies and certificates
debian13_reaches ()
{
  local file status
  file=$(mktemp "${TMPDIR:-/tmp}/tutti-mirror-XXXXXX") || return
  timeout 60 /usr/lib/apt/apt-helper -o Acquire::Retries=1 download-file "${1%/}/dists/trixie/InRelease" "$file" > /dev/null 2>&1
  status=$?
  rm -f "$file"
  return "$status"
}

# debian13_isolated COMMAND…: where mounts and processes end with it
debian13_isolated () { setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child=KILL --propagation private "$@"; }

# debian13_enter CHROOT writable|read-only COMMAND…
debian13_enter ()
{
  local chroot=$1 mode=$2; shift 2
  # shellcheck disable=SC2016   # what is in quotes is for the shell in the namespaces
  debian13_isolated bash -c '
    set -e
    chroot=$1 mode=$2 source=$3 build=$4 shared=$5; shift 5
    if [ "$mode" = read-only ]; then
      mount --bind "$chroot" "$chroot"
      mount -o remount,bind,ro "$chroot"
      mount --bind "$source" "$chroot/tutti"
      mount -o remount,bind,ro "$chroot/tutti"
      mount --bind "$source/$build" "$chroot/tutti/$build"
      mount --bind "$source/$build/tmp" "$chroot/tmp"
      if [ -n "$shared" ]; then mount --bind "$shared" "$chroot/shared"; fi
    fi
    mount --rbind /dev "$chroot/dev"
    mount --rbind /sys "$chroot/sys"
    mount -t proc proc "$chroot/proc"
    exec chroot "$chroot" "$@"
  ' bash "$chroot" "$mode" "$root" "$debian13_build" "${TUTTI_SHARED-}" \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8 TERM=dumb \
    DEBIAN_FRONTEND=noninteractive ${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"} \
    ${CI:+"CI=$CI"} ${TUTTI_SHARED:+TUTTI_SHARED=/shared} "$@"
}

# Why there can be no chroot here; nothing if there can. Each reason is in allowed-skips.
debian13_obstacle ()
{
  local answer
  [[ $EUID -eq 0 ]] || { echo 'needs root: chroot and mount are for root alone'; return; }
  answer=$(debian13_isolated mount -t tmpfs none /mnt 2>&1) ||
    { echo "no namespaces: ${answer:-unshare has failed}"; return; }
  debian13_is_made || debian13_reaches "$(debian13_mirror)" ||
    echo "no mirror: $(debian13_mirror) cannot be reached, to make $debian13_root"
}

# A chroot has the name that it is to have when it is whole, and says with what it was made.
debian13_is_made () { [[ -f $debian13_root/tutti-packages && "$(< "$debian13_root/tutti-packages")" == "$(needed_packages)" ]]; }

# debian13_fill CHROOT
debian13_fill ()
{
  local chroot=$1 list proxy=
  mapfile -t list < <(needed_packages)
  # The chroot's apt goes the way that ours goes.
  eval "$(apt-config shell proxy Acquire::http::Proxy 2> /dev/null)"
  local -x http_proxy=${http_proxy:-$proxy}
  say "Debian 13 comes from $(debian13_mirror)"
  debian13_isolated timeout 1200 debootstrap --variant=minbase --include=ca-certificates trixie "$chroot" "$(debian13_mirror)" > "$chroot.log" 2>&1 &&
    echo force-unsafe-io > "$chroot/etc/dpkg/dpkg.cfg.d/tutti" &&   # what is not whole is thrown away
    debian13_enter "$chroot" writable timeout 1200 bash -c "$(declare -f real_packages)"'
      apt-get -q -y update && mapfile -t names < <(real_packages "$@") && exec apt-get -q -y install --no-install-recommends "${names[@]}"
    ' bash "${list[@]}" >> "$chroot.log" 2>&1 < /dev/null &&
    rm -rf "$chroot"/var/cache/apt/*.bin "$chroot"/var/cache/apt/archives/*.deb "$chroot"/var/lib/apt/lists/* &&
    mkdir "$chroot/tutti" "$chroot/shared" &&
    needed_packages > "$chroot/tutti-packages"
}

# Make the chroot if it is not there or was made with other packages; nobody else does so, or uses it, meanwhile.
debian13_make ()
{
  local draft
  debian13_is_made && return
  has debootstrap || install_packages debootstrap || { say 'debootstrap is missing and could not be installed'; return 1; }
  say "making $debian13_root; this takes minutes"
  rm -rf "$debian13_root".making-*   # of somebody who was killed
  draft=$(mktemp -d "$debian13_root.making-XXXXXX") || return
  chmod 755 "$draft"
  if debian13_fill "$draft"; then
    rm -rf "$debian13_root" && mv "$draft" "$debian13_root" && rm -f "$draft.log"
  else
    tail -n 30 "$draft.log" >&2
    rm -rf "$draft" "$draft.log"
    say "$debian13_root could not be made; what was wrong is above"
    return 1
  fi
}

# debian13_skip REASON: a log in which all is left out because of REASON
debian13_skip ()
{
  mkdir -p "$debian13_build/meson-logs"
  printf '{"name": "debian13", "stdout": "1..0 # SKIP %s\\n", "result": "SKIP", "returncode": 77}\n' "$(tr -d '\\"\n' <<< "$1")" \
    > "$debian13_build/meson-logs/testlog.json"
}

# Build and test there; the log is where count-tap looks for it.
debian13_test ()
{
  local lock
  mkdir -p "$(dirname "$debian13_root")" "$debian13_build/tmp" || return
  exec {lock}> "$debian13_root.lock" || return
  flock "$lock"
  debian13_make || return
  flock --shared "$lock"
  say "testing in $debian13_root"
  debian13_enter "$debian13_root" read-only bash /tutti/bootstrap in-debian13
  exec {lock}>&-
}
