# What a container was given, one line each: what, a tab, how it is.
use strict;
use warnings;
use POSIX ();

sub text {
    my ($path) = @_;
    open my $file, "<", $path or return "";
    local $/;
    return <$file> // "";
}

sub say_that { print join("\t", @_), "\n" }

say_that("arguments", join "|", @ARGV);
say_that("directory", POSIX::getcwd());
say_that("umask", sprintf "%o", umask);
say_that("name", (POSIX::uname())[1]);
say_that("variable $_", $ENV{$_}) for sort keys %ENV;
my %status = text("/proc/self/status") =~ /^(\w+):\t(.*)$/mg;
say_that($_, join " ", split " ", $status{$_}) for qw(Uid Gid CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs);
say_that("Groups", join " ", sort split " ", $status{Groups});
say_that("limit $_->[0]", $_->[1]) for map { [split /\s{2,}/, $_, 2] } split /\n/, text("/proc/self/limits");
for (map { [split] } split /\n/, text("/proc/self/mounts")) {
    my ($place, $kind, $options) = @$_[1 .. 3];
    next if $place eq "/" || $place =~ m{^/(proc|etc|sys/firmware|sys/devices|dev/init|usr/sbin|var/lib/postgresql)(/|$)};
    my @flags = grep { /^(r[ow]|no.*|mode=.*|size=.*|gid=.*|uid=.*|ptmxmode=.*)$/ } sort split /,/, $options;
    say_that("mount $place", join " ", $kind, @flags, sprintf "%o", (stat $place)[2]);
}
say_that("setting $_", text("/proc/sys/$_") =~ s/\s+/ /gr)
    for qw(kernel/domainname kernel/shmmax net/core/somaxconn net/ipv4/ip_unprivileged_port_start net/ipv4/ping_group_range);
say_that("oom_score_adj", 0 + text("/proc/self/oom_score_adj"));
say_that("host $_", (gethostbyname $_) ? join ".", unpack "C4", (gethostbyname $_)[4] : "none") for qw(localhost db.example);
say_that("resolver", join "|", grep { /^(search|options|nameserver 1)/ } split /\n/, text("/etc/resolv.conf"));
say_that("process 1", text("/proc/1/cmdline") =~ /init/ ? "an init" : "itself");
say_that("loopback", text("/sys/class/net/lo/flags") =~ s/\s//gr);
say_that("stdin", -t STDIN ? "a terminal" : "none");
say_that("can write in $_", (open my $file, ">", "$_/x") ? "yes" : "no") for qw(/ /a /b /t /tmp /etc /run /dev/shm);
