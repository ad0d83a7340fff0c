#!/bin/sh
# Process 1 of a machine's own mount and pid namespace. When it dies, for whatever reason, the
# kernel takes every mount and process of the machine with it.
# usage: stage.sh LOWER STATE CGROUP NSPAWN-ARGUMENT…
set -e
lower=$1 state=$2 cgroup=$3
shift 3

if [ -e "$state/image" ]; then
    mount -o loop,noatime,discard,commit=300,barrier=0,noinit_itable "$(readlink "$state/image")" "$state/disk"
    if [ -e "$state/seeds" ]; then
        (cd "$state/disk" && mkdir -p upper work real)
        while read -r target source; do
            if [ "$source" = - ]; then
                mkdir -p "$state/disk/$target"
            else
                cp --archive --no-target-directory "$source" "$state/disk/$target"
            fi
        done <"$state/seeds"
        rm "$state/seeds"
    fi
fi
mount -t overlay -o "lowerdir=$lower,upperdir=$state/upper,workdir=$state/work" machine "$state/root"

# nspawn leaves sockets and locks there, and believes in a systemd it finds there.
mkdir -p /run/systemd
mount -t tmpfs machine /run/systemd

# A host with the old controllers mounted shows nspawn a pure v2 tree all the same.
mount -t cgroup2 machine /sys/fs/cgroup

set +e
(echo 0 > "/sys/fs/cgroup/$cgroup/guest/cgroup.procs" &&
    exec systemd-nspawn --directory="$state/root" "$@")
exit $?
