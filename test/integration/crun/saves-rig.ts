import { join } from "node:path";
import type { DriverInstance, RecoveryHandle } from "../../../agent/drivers/driver.js";
import { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import { type CrunFixture, callOptions } from "./fixture.js";

export const copyOptions = { ...callOptions, bytesPerSecond: 0 };
export const sleep = ["/bin/sleep", "1000"];

/** Writes what an archive or a copy could lose. Numbers of system calls are those of x86-64. */
export const write = [
  "mkdir -p /kept/old && echo one >/kept/one && ln /kept/one /kept/two && chown 1000:1001 /kept/one && chmod 4755 /kept/one",
  "ln -s ../nowhere /kept/link && mkfifo /kept/pipe && chmod 1777 /kept",
  "truncate -s 20M /kept/sparse && echo end >>/kept/sparse",
  "rm -r /mnt /usr/lib; mkdir -p /usr/lib && echo new >/usr/lib/new",
  `perl -e 'my $file = "/kept/one"; my $caps = pack("V5", 0x02000001, 1 << 10, 0, 0, 0);
     my $acl = pack("V", 2) . join "", map { pack "vvV", @$_ } [1, 7, -1], [2, 4, 1002], [4, 4, -1], [8, 2, 1003], [16, 6, -1], [32, 4, -1];
     my @all = (["user.note", "kept"], ["system.posix_acl_access", $acl], ["security.capability", $caps]);
     for (@all) { my ($name, $value) = @$_; syscall(188, $file, $name, $value, length $value, 0) == 0 or die $! }'`,
].join("\n");

/** Tells all of it. */
export const read = [
  "stat -c '%n %u:%g %a %h %F' /kept /kept/one /kept/two /kept/link /kept/pipe",
  "test $(stat -c %i /kept/one) = $(stat -c %i /kept/two) && echo same; readlink /kept/link; cat /kept/two",
  "stat -c %s /kept/sparse; test $(stat -c %b /kept/sparse) -lt 100 && echo sparse; tail -c 4 /kept/sparse",
  "ls /mnt 2>&1 | grep -c 'No such'; ls /usr/lib",
  `perl -e 'my $file = "/kept/one"; for my $name ("user.note", "system.posix_acl_access", "security.capability") {
     my $value = "\\0" x 64; my $copy = $name; my $n = syscall(191, $file, $copy, $value, 64); print unpack("H*", substr($value, 0, $n)), "\\n" }'`,
].join("\n");

type Options = Parameters<typeof CrunOptions.fromPartial>[0];

/** A container of the root filesystem "perl" that runs. */
export async function started(
  world: CrunFixture,
  options: Options,
): Promise<{ instance: DriverInstance; handle: RecoveryHandle }> {
  const instance = await world.create(CrunOptions.fromPartial({ rootfs: "perl", command: sleep, ...options }));
  return { instance, handle: await world.start(instance) };
}

/** Saves a container as an image of that name. */
export async function save(
  world: CrunFixture,
  { instance, handle }: { readonly instance: DriverInstance; readonly handle: RecoveryHandle | undefined },
  image: string,
): Promise<string> {
  const path = join(world.images, image);
  await world.driver.can.save.saveImage(instance, handle, { disk: 0, overlay: false, path }, copyOptions);
  return path;
}
