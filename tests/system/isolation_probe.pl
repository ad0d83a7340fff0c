# What a container lets its processes do, one line each: what, a tab, how it is.
# Arguments: the host's namespaces as KIND=LINK.
use strict;
use warnings;
use Errno qw(EPERM EACCES ENOSYS);
use POSIX ();

my $machine = (POSIX::uname())[4];
my %host = map { split /=/, $_, 2 } @ARGV;
my %number = $machine eq "aarch64"
    ? (mount => 40, unshare => 97, setns => 268, keyctl => 219, add_key => 217, bpf => 280,
       perf_event_open => 241, userfaultfd => 282, init_module => 105, pivot_root => 41, syslog => 116,
       get_mempolicy => 236, clone => 220, ptrace => 117)
    : (mount => 165, unshare => 272, setns => 308, keyctl => 250, add_key => 248, bpf => 321,
       perf_event_open => 298, userfaultfd => 323, init_module => 175, pivot_root => 155, syslog => 103,
       get_mempolicy => 239, clone => 56, ptrace => 101);

sub say_that { print join("\t", @_), "\n" }

sub text {
    my ($path) = @_;
    open my $file, "<", $path or return "";
    local $/;
    return <$file> // "";
}

sub first_byte {
    my ($path) = @_;
    my $bytes = "";
    open my $file, "<", $path or return "";
    sysread $file, $bytes, 1;
    return $bytes;
}

# Arguments are chosen so that a kernel that is asked says something else than "not permitted".
sub call {
    my ($name, @arguments) = @_;
    my $done = syscall($number{$name} // $name, @arguments);
    return $done >= 0 || !($!{EPERM} || $!{EACCES} || $!{ENOSYS}) ? "possible" : "denied";
}

for my $kind (qw(cgroup ipc mnt net pid user uts)) {
    say_that("$kind namespace", (readlink "/proc/self/ns/$kind") eq $host{$kind} ? "the host's" : "its own");
}
my %status = text("/proc/self/status") =~ /^(\w+):\t(.*)$/mg;
say_that("user", $> ? "its own" : "root");
for (["capabilities", "CapPrm"], ["capabilities that a program may get", "CapBnd"]) {
    my $count = sprintf("%b", hex $status{$_->[1]}) =~ tr/1//;
    say_that($_->[0], $count || "none");
}
say_that("new privileges by setuid programs", $status{NoNewPrivs} ? "denied" : "possible");
say_that("filter of system calls", $status{Seccomp} == 2 ? "yes" : "no");

for my $path (qw(/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats
    /proc/sched_debug /proc/scsi /proc/timer_list /proc/timer_stats /sys/devices/virtual/powercap /sys/firmware)) {
    my $is_seen = -d $path ? scalar(() = glob "$path/*") : length(first_byte($path));
    say_that($path, $is_seen ? "readable" : "hidden");
}
my %options = map { my @words = split; $words[4] => ",$words[5]," } split /\n/, text("/proc/self/mountinfo");
for my $path (qw(/ /proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger /sys /sys/fs/cgroup)) {
    my $is_there = -e $path;
    say_that($path, $is_there && ($options{$path} // "") !~ /,ro,/ ? "writable" : "read-only");
}
say_that("the host's kernel settings", (open my $file, ">", "/proc/sys/vm/swappiness") ? "writable" : "read-only");

say_that("devices", join " ", sort map { s|^/dev/||r } grep { !-l && (-c || -b) } glob "/dev/*");
my $node = "/dev/fuse-of-the-host";
my $made = call($machine eq "aarch64" ? 33 : 259, -100, $node, 0020666, 10 << 8 | 229, 0);
my $is_open = $made eq "possible" && ((open my $fuse, "+<", $node) || !($!{EPERM} || $!{EACCES}));
say_that("a device of the host that it makes itself", $is_open ? "possible" : "denied");
unlink $node;
my @processes = glob "/proc/[0-9]*";
say_that("other processes", @processes > 3 ? "visible" : "hidden");
say_that("network interfaces", join " ", text("/proc/net/dev") =~ /^\s*(\w+):/mg);

say_that("mount()", call("mount", 1, 1, 1, 0, 0));
say_that("pivot_root()", call("pivot_root", 1, 1));
say_that("setns()", call("setns", -1, 0));
say_that("keyctl()", call("keyctl", 0, -3, 0));
say_that("add_key()", call("add_key", 1, 1, 0, 0, 0));
say_that("bpf()", call("bpf", 0, 0, 0));
say_that("perf_event_open()", call("perf_event_open", 1, 0, -1, -1, 0));
say_that("userfaultfd()", call("userfaultfd", 0));
say_that("io_uring_setup()", call(425, 1, 1));
say_that("init_module()", call("init_module", 1, 0, 1));
say_that("syslog()", call("syslog", 10, 0, 0));
say_that("get_mempolicy()", call("get_mempolicy", 0, 0, 0, 0, 0));
say_that("pidfd_getfd()", call(438, -1, 0, 0));
say_that("a socket to the hypervisor (vsock)", call($machine eq "aarch64" ? 198 : 41, 40, 1, 0));
my $tracee = fork // die;
POSIX::_exit(call("ptrace", 0, 0, 0, 0) eq "denied") if $tracee == 0;
waitpid $tracee, 0;
say_that("ptrace() of its own processes", $? ? "denied" : "possible");
say_that("unshare() of users", call("unshare", 0x10000000));
my $child = syscall($number{clone}, 0x10000000 | 17, 0, 0, 0, 0);
POSIX::_exit(0) if $child == 0;
say_that("clone() with a namespace of users", $child > 0 ? "possible" : "denied");
say_that("clone3()", call(435, 0, 0));
