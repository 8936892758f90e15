#!/bin/sh
# The first process of User-Mode Linux, which tools/uml_vcan.py starts on the host's own root file system: brings
# vcan0 and vcan1 up, runs $uml_run/command with standard output and error on two serial lines of the host,
# and leaves its exit status in $uml_run/status. Without a status the machine inside has failed.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mountpoint -q /dev || mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts
mount -t tmpfs -o mode=1777 tmp /dev/shm
mount -t devpts -o ptmxmode=666 pts /dev/pts
ln -sfn pts/ptmx /dev/ptmx
ln -sfn /proc/self/fd /dev/fd
ln -sfn fd/0 /dev/stdin
ln -sfn fd/1 /dev/stdout
ln -sfn fd/2 /dev/stderr
exec >/dev/ttyS0 2>/dev/ttyS1 </dev/null
stty -F /dev/ttyS0 raw
stty -F /dev/ttyS1 raw

fail() {
    echo "uml_vcan: $1" >&2
    halt -f -p >/dev/null 2>&1
}

modules=/usr/lib/uml/modules/$(uname -r)/kernel
for module in net/can/can net/can/can-raw net/can/can-gw drivers/net/can/dev/can-dev drivers/net/can/vcan \
    drivers/net/can/vxcan drivers/net/dummy net/sched/sch_tbf; do
    insmod "$modules/$module.ko" || fail "module $module does not load"
done
# The receive queue of a socket holds a few hundred frames by default, and drops what comes after in silence.
echo 4194304 >/proc/sys/net/core/rmem_max
echo 4194304 >/proc/sys/net/core/rmem_default
ip link set lo up
for number in 0 1; do
    ip link add dev vcan$number type vcan && ip link set vcan$number mtu 72 up || fail "vcan$number does not come up"
done
{ # through a pipe, so that nobody takes the serial line for a terminal
    /bin/sh "$uml_run/command"
    echo $? >"$uml_run/status.new"
} | cat
mv "$uml_run/status.new" "$uml_run/status"
halt -f -p >/dev/null 2>&1
