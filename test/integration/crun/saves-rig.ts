import { join } from "node:path";
import type { DriverInstance, RecoveryHandle } from "../../../agent/drivers/driver.js";
import { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import { type CrunFixture, callOptions } from "./fixture.js";

export const copyOptions = { ...callOptions, bytesPerSecond: 0 };
export const sleep = ["/bin/sleep", "1000"];

/** Writes what an archive or a copy could lose. Numbers of system calls are those of x86-64. */
export const write = [
  "mkdir -p /work/old && echo one >/work/one && ln /work/one /work/two && chown 1000:1001 /work/one && chmod 4755 /work/one",
  "ln -s ../nowhere /work/link && mkfifo /work/pipe && chmod 1777 /work",
  "truncate -s 20M /work/sparse && echo end >>/work/sparse",
  "rm -r /mnt /usr/lib; mkdir -p /usr/lib && echo new >/usr/lib/new",
  `perl -e 'my $file = "/work/one"; my $caps = pack("V5", 0x02000001, 1 << 10, 0, 0, 0);
     my @all = (["user.note", "kept"], ["security.capability", $caps]);
     for (@all) { my ($name, $value) = @$_; syscall(188, $file, $name, $value, length $value, 0) == 0 or die $! }'`,
].join("\n");

/** Tells all of it. */
export const read = [
  "stat -c '%n %u:%g %a %h %F' /work /work/one /work/two /work/link /work/pipe",
  "test $(stat -c %i /work/one) = $(stat -c %i /work/two) && echo same; readlink /work/link; cat /work/two",
  "stat -c %s /work/sparse; test $(stat -c %b /work/sparse) -lt 100 && echo sparse; tail -c 4 /work/sparse",
  "ls /mnt 2>&1 | grep -c 'No such'; ls /usr/lib",
  `perl -e 'my $file = "/work/one"; for my $name ("user.note", "security.capability") {
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
