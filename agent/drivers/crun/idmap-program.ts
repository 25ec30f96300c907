/**
 * A Perl program, for the shell that mounts: clones the mount of SOURCE and shows it at TARGET with all ids shifted, FROM as TO and so
 * on (mount_setattr(2), MOUNT_ATTR_IDMAP; Linux 5.19 for layers of overlayfs). mount(8) can do that only since util-linux 2.39.
 * The user namespace that says so is that of a child, which ends at once. The numbers of the calls are the same on all architectures,
 * but that of unshare(2): the child is therefore a program of its own.
 */
export const idmapProgram = `use strict;
my ($from, $to, $count, $source, $target) = @ARGV;
my ($open_tree, $move_mount, $mount_setattr) = (428, 429, 442);
my $none = "";
my ($cwd, $clone, $cloexec, $recursive, $empty, $from_empty, $idmap) = (-100, 1, 02000000, 0x8000, 0x1000, 4, 0x00100000);
pipe(my $ready, my $tell) or die "pipe: $!";
pipe(my $wait, my $go) or die "pipe: $!";
my $child = fork // die "fork: $!";
if ($child == 0) {
  close $go; close $ready;
  open(STDOUT, ">&", $tell) or die; open(STDIN, "<&", $wait) or die;
  exec "unshare", "--user", "sh", "-c", "echo; read -r _ || exit 0" or exit 1;
}
close $tell; close $wait;
defined(readline $ready) or die "the host has no user namespaces\\n";
for my $map ("uid_map", "gid_map") {
  open(my $file, ">", "/proc/$child/$map") or die "$map: $!";
  print $file "$from $to $count"; close $file or die "$map: $!";
}
open(my $namespace, "<", "/proc/$child/ns/user") or die "namespace: $!";
my $tree = syscall($open_tree, $cwd, $source, $clone | $cloexec);
die "open_tree: $!" if $tree < 0;
my $attributes = pack("Q4", $idmap, 0, 0, fileno $namespace);
syscall($mount_setattr, $tree, $none, $empty, $attributes, 32) == 0 or die "the file system cannot shift ids: $!\\n";
syscall($move_mount, $tree, $none, $cwd, $target, $from_empty) == 0 or die "move_mount: $!";
close $go;
waitpid $child, 0;
`;
