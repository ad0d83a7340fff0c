#!/bin/sh
# Runs a command in a view of a tree that ends with it: process 1 of a mount and pid namespace.
# usage: chroot.sh LOWER MOUNTPOINT [SRC:DST]… -- COMMAND…
set -e
lower=$1 view=$2
shift 2

mount -t tmpfs -o mode=0755 view "$view"
mkdir "$view/upper" "$view/work" "$view/root"
root=$view/root
mount -t overlay -o "lowerdir=$lower,upperdir=$view/upper,workdir=$view/work" view "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
mount -t tmpfs -o mode=0755 run "$root/run"

while [ "$1" != -- ]; do
    source=${1%%:*} target=$root${1#*:}
    if [ -d "$source" ]; then
        mkdir -p "$target"
    else
        mkdir -p "$(dirname "$target")"
        [ -e "$target" ] || : > "$target"
    fi
    mount --rbind "$source" "$target"
    shift
done
shift

# Not exec: a process 1 has to outlive the command's orphans and hear of their end.
set +e
env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    LANG=C.UTF-8 TERM="${TERM:-dumb}" chroot "$root" "$@"
exit $?
