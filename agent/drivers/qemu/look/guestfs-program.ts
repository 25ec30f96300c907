/**
 * What speaks to libguestfs(3): Perl, since its bindings give what they are asked for as it is, where guestfish(1) prints text that a guest
 * has part in. It is told what to do by frames on standard input and answers by frames on standard output: a letter, a length of four
 * bytes (big-endian), and that many bytes. "J" is JSON whose characters are bytes, "D" data, "." the end of what was asked for, "E" JSON
 * with what was wrong. Everything of the guest's is looked at by a kernel in a machine of its own, which sees the guest's disks and nothing
 * else; what comes from there is told on as it is and taken for hostile by whoever reads it.
 */
export const guestfsProgram = String.raw`use strict; use warnings; use Sys::Guestfs; use JSON::PP;
binmode(STDIN); binmode(STDOUT); $| = 1; $SIG{PIPE} = "DEFAULT";
my $json = JSON::PP->new->ascii->canonical; my $asked = JSON::PP->new->utf8;
my $piece = 1 << 20;
sub out { my ($type, $data) = @_; my $all = $type . pack("N", length $data) . $data;
  for (my $at = 0; $at < length $all;) { my $n = syswrite(STDOUT, $all, length($all) - $at, $at); exit 0 unless defined $n; $at += $n } }
sub exactly { my ($want) = @_; my $all = "";
  while (length $all < $want) { my $n = sysread(STDIN, $all, $want - length $all, length $all); exit 0 unless $n } return $all }
sub frame { my ($type, $length) = unpack("aN", exactly(5)); return ($type, $length ? exactly($length) : "") }
my $g;
sub entry { my ($name, $st, $target) = @_;
  return { name => $name, mode => $st->{st_mode}, uid => $st->{st_uid}, gid => $st->{st_gid}, size => $st->{st_size},
    mtime => $st->{st_mtime_sec}, target => $target } }
sub kind { my ($st) = @_; return $st->{st_mode} & 0170000 }
sub look { my ($path, $follow) = @_; my %st = eval { $follow ? $g->statns($path) : $g->lstatns($path) };
  die "ENOENT\n" unless %st; return \%st }
sub launch { my ($how) = @_;
  $g = Sys::Guestfs->new(close_on_exit => 1);
  $g->set_backend("direct"); $g->set_path($how->{appliance}); $g->set_hv($how->{hv}); $g->set_memsize($how->{memoryMib});
  $g->set_network(0); $g->set_autosync(1);
  for my $drive (@{$how->{drives}}) {
    $g->add_drive($drive->{export}, protocol => "nbd", server => ["unix:" . $drive->{socket}], format => "raw",
      readonly => $how->{writable} ? 0 : 1, cachemode => "writeback") }
  $g->launch() }
sub plain { my %found = $g->list_filesystems(); return map { [$_, $found{$_}] } sort grep { $found{$_} !~ /^(swap|unknown|)$/ } keys %found }
sub mounted { my ($how) = @_;
  my $options = ($how->{writable} ? "rw" : "ro") . ",nodev,nosuid,noexec";
  my @all = plain(); my $known = join(", ", map { "$_->[0] ($_->[1])" } @all) || "none";
  if ($how->{filesystem} ne "") {
    die "there is no file system $how->{filesystem} there; there are: $known\n" unless grep { $_->[0] eq $how->{filesystem} } @all;
    $g->mount_options($options, $how->{filesystem}, "/"); return }
  my @roots = eval { $g->inspect_os() };
  if (@roots == 1) {
    my %points = $g->inspect_get_mountpoints($roots[0]);
    for my $point (sort { length $a <=> length $b || $a cmp $b } keys %points) {
      eval { $g->mount_options($options, $points{$point}, $point); 1 } or $point ne "/" or die $@ }
    return }
  die "it has several systems, on " . join(", ", @roots) . "; name a file system\n" if @roots > 1;
  die "it has no file system that could be read\n" unless @all;
  die "it has several file systems: $known; name one\n" if @all > 1;
  $g->mount_options($options, $all[0][0], "/") }
my %do = (
  usage => sub {
    for my $each (plain()) { my ($device, $type) = @$each;
      my $told = { device => $device, type => $type, label => eval { $g->vfs_label($device) } // "", size => 0, free => 0 };
      eval { $g->mount_options("ro,nodev,nosuid,noexec", $device, "/"); my %s = $g->statvfs("/");
        $told->{size} = $s{blocks} * $s{frsize}; $told->{free} = $s{bavail} * $s{frsize}; 1 } or $told->{reason} = "cannot be mounted";
      eval { $g->umount_all() }; out("J", $json->encode($told)) } },
  mount => sub { mounted($_[0]) },
  stat => sub { my ($how) = @_; my $st = look($how->{path}, $how->{follow});
    my $target = kind($st) == 0120000 ? $g->readlink($how->{path}) : "";
    out("J", $json->encode(entry($how->{path}, $st, $target))) },
  list => sub { my ($how) = @_; my $path = $g->realpath($how->{path});
    $g->ls0($path, $how->{scratch}); open(my $file, "<:raw", $how->{scratch}) or die "the names cannot be kept: $!\n"; local $/ = "\0"; my @some;
    my $told = sub { return unless @some; my @stats = $g->lstatnslist($path, [@some]); my @links = map { kind($stats[$_]) == 0120000 ? $some[$_] : () } 0 .. $#some;
      my %target; if (@links) { my @to = $g->readlinklist($path, [@links]); @target{@links} = @to }
      for (0 .. $#some) { out("J", $json->encode(entry($some[$_], $stats[$_], $target{$some[$_]} // ""))) if $stats[$_]{st_ino} != -1 } @some = () };
    while (my $name = <$file>) { chomp $name; push @some, $name; $told->() if @some >= 250 } $told->(); close $file; unlink $how->{scratch} },
  read => sub { my ($how) = @_; my $path = $g->realpath($how->{path});
    die "it is no plain file\n" unless kind(look($path, 0)) == 0100000;
    for (my $at = $how->{offset};;) { my $data = $g->pread($path, $piece, $at); last if length $data == 0; out("D", $data); $at += length $data } },
  tar => sub { my ($how) = @_; my $path = $g->realpath($how->{path}); pipe(my $from, my $to) or die "no pipe\n";
    my $child = fork; die "no process\n" unless defined $child;
    if ($child == 0) { close $to; my $data; while (sysread($from, $data, $piece)) { out("D", $data) } require POSIX; POSIX::_exit(0) }
    close $from; my $ok = eval { $g->tar_out($path, "/dev/fd/" . fileno($to), numericowner => 1); 1 }; my $why = $@;
    close $to; waitpid($child, 0); die $why unless $ok },
  write => sub { my ($how) = @_; my $ok = eval { incoming($how, sub { my ($fd) = @_;
      my $path = $how->{path}; my %found = eval { $g->statns($path) };
      if (%found && kind(\%found) == 0040000 && $how->{base} ne "") { $path = $g->realpath($path) . "/$how->{base}"; %found = eval { $g->statns($path) } }
      my $st = %found ? \%found : undef;
      if (defined $st) { $path = $g->realpath($path); die "it is no plain file\n" unless kind($st) == 0100000;
        my $is = $how->{expected}; die "ECHANGED\n" if defined $is && ($is->{size} != $st->{st_size} || $is->{mtime} != $st->{st_mtime_sec}) }
      elsif (defined $how->{expected}) { die "ECHANGED\n" }
      my ($dir, $name) = $path =~ m{^(.*)/([^/]+)$} or die "it is no path of a file\n"; my $fresh = "$dir/.zor-$how->{id}";
      eval { $g->upload("/dev/fd/$fd", $fresh);
        die "less came than was said\n" if defined $how->{size} && $g->filesize($fresh) != $how->{size};
        if (defined $st) { $g->copy_attributes($path, $fresh, all => 1) } else { $g->chmod($how->{mode}, $fresh); $g->chown($how->{uid}, $how->{gid}, $fresh) }
        $g->utimens($fresh, $how->{mtime}, 0, $how->{mtime}, 0) if defined $how->{mtime};
        $g->mv($fresh, $path); 1 } or do { my $why = $@; eval { $g->rm_f($fresh) }; die $why } }); 1 };
    my $why = $@; eval { $g->sync() }; die $why unless $ok },
  unpack => sub { my ($how) = @_; my $ok = eval { incoming($how, sub { $g->tar_in("/dev/fd/$_[0]", $g->realpath($how->{path})) }); 1 };
    my $why = $@; eval { $g->sync() }; die $why unless $ok },
  end => sub { $g->shutdown(); $g->close(); undef $g });
sub incoming { my ($how, $work) = @_; pipe(my $from, my $to) or die "no pipe\n"; my $child = fork; die "no process\n" unless defined $child;
  if ($child == 0) { close $from; my $whole = 1; $SIG{PIPE} = "IGNORE";
    for (;;) { my ($type, $data) = frame(); last if $type ne "D"; for (my $at = 0; $whole && $at < length $data;) { my $n = syswrite($to, $data, length($data) - $at, $at); $whole = 0 unless defined $n; $at += $n // 0 } }
    require POSIX; POSIX::_exit(0) }
  close $to; my $ok = eval { $work->(fileno $from); 1 }; my $why = $@; close $from; waitpid($child, 0); die $why unless $ok }
for (;;) { my ($type, $text) = frame(); my $how = $asked->decode($text); for (values %$how) { utf8::downgrade($_) if defined $_ && !ref $_ }
  my $ok = eval { if ($how->{op} eq "launch") { launch($how) } else { ($do{$how->{op}} // die "no such request\n")->($how) } 1 };
  if ($ok) { out(".", "") } else { my $why = "$@"; $why =~ s/ at -e line \d+\.?\s*$//; out("E", $json->encode({ message => substr($why, 0, 1000) })) }
  exit 0 if $how->{op} eq "end" }
`;
