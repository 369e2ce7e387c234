#!/bin/busybox sh
# The first and only process of the machine: see ../kernels.rs.
/bin/busybox mkdir -p /sbin /usr/bin /var/run
/bin/busybox --install -s /sbin
export PATH=/bin:/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
for module in /modules/*; do insmod "$module"; done
echo 0 >/proc/sys/kernel/printk
uname -r

# Not busybox's own, which a shell of busybox would call.
/bin/ip link set lo up
/bin/ip netns add peer
/bin/ip link add v0 type veth peer name v1 netns peer
/bin/ip addr add 10.9.0.1/24 dev v0
/bin/ip link set v0 up
/bin/ip -n peer addr add 10.9.0.2/24 dev v1
/bin/ip -n peer link set v1 up

# The level closing is more than the verifier of 6.1 walks through.
scenarios in_the_kernel --nocapture
echo "scenarios: $?"

# Seconds, at this machine's pace.
wait_for() {
    left=600
    until "$@"; do
        left=$((left - 1))
        [ $left -gt 0 ] || return 1
        sleep 1
    done
}
answers() { termination stats >/dev/null 2>&1; }
four() { [ "$(termination events --json | grep -c '"type":"ending"')" -ge 4 ]; }
mkdir /tmp/www
echo hello >/tmp/www/index.html
httpd -p 10.9.0.1:80 -h /tmp/www
termination run -i v0 --connections 4096 >/tmp/run 2>&1 &
run=$!
wait_for answers || cat /tmp/run
for port in 80 80 80 81; do
    /bin/ip netns exec peer busybox wget -q -O /dev/null "http://10.9.0.1:$port/"
done
wait_for four
termination events --json | sed 's/^/ending: /'
kill -INT $run
wait $run
echo "run: $?"
cat /tmp/run
poweroff -f
