# A copy of this system that is thrown away: . "$TUTTI_SOURCE_DIR/tests/support/overlay.sh". For tests of what is installed for all.
# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# All that is written goes into memory; the mounts are in a namespace of their own, and go with it.

# overlay_run FOLDER COMMAND...: run COMMAND in the copy, in which FOLDER is the same as here, for files that are to be kept.
overlay_run ()
{
  # shellcheck disable=SC2016   # what is in quotes is for the shell in the namespace
  unshare --mount --pid --fork --kill-child=KILL --propagation private sh -c '
    set -e
    folder=$1; shift
    mount -t tmpfs none "$folder/overlay"
    mkdir "$folder/overlay/upper" "$folder/overlay/work" "$folder/overlay/root"
    root=$folder/overlay/root
    mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/overlay/upper,workdir=$folder/overlay/work" "$root"
    # The tree and its build may be on other file systems.
    copy () {
      [ ! -e "$root$1/$2" ] || return 0
      mkdir -p "$root$1" "$folder/overlay/upper-$2" "$folder/overlay/work-$2"
      mount -t overlay overlay -o "lowerdir=$1,upperdir=$folder/overlay/upper-$2,workdir=$folder/overlay/work-$2" "$root$1"
    }
    copy "$TUTTI_SOURCE_DIR" meson.build
    copy "$TUTTI_BUILD_DIR" build.ninja
    mkdir -p "$root$folder"
    mount --bind "$folder" "$root$folder"
    mount --rbind /dev "$root/dev"
    mount --rbind /sys "$root/sys"
    mount -t proc proc "$root/proc"
    exec chroot "$root" "$@"' sh "$@"
}

# overlay_obstacle FOLDER: why there can be none, nothing if there can. Makes what overlay_run needs in FOLDER.
overlay_obstacle ()
{
  [ "$(id -u)" = 0 ] || { echo "only root can mount a copy of the system"; return; }
  mkdir -p "$1/overlay"
  overlay_run "$1" true > /dev/null 2>&1 || echo "no copy of the system can be mounted here"
}
