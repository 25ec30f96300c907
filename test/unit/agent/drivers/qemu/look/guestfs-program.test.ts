import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readFrames, toFrame } from "../../../../../../agent/drivers/qemu/look/frames.js";
import { guestfsProgram } from "../../../../../../agent/drivers/qemu/look/guestfs-program.js";
import { startOwned } from "../../../../../../agent/host/exec.js";
import { runTag } from "../../../../../helpers/run-tag.js";

/** A library that has one link, and tells what bytes it was asked with; those of XS take a text as it lies in memory. */
const library = `package Sys::Guestfs; sub new { bless {} } our $AUTOLOAD;
sub lstatns { return (st_mode => 0120777, st_uid => 0, st_gid => 0, st_size => 0, st_mtime_sec => 0) }
sub readlink { my $path = $_[1]; utf8::encode($path) if utf8::is_utf8($path); return unpack("H*", $path) }
sub AUTOLOAD { return } sub DESTROY {} 1;`;

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), `${runTag}-g-`));
  await mkdir(join(root, "Sys"));
  await writeFile(join(root, "Sys", "Guestfs.pm"), library);
});
afterEach(() => rm(root, { recursive: true, force: true }));

it.each(["/plain", "/é 日本", "/\u{1f600}"])("is asked for %s as it is", async (path) => {
  const child = startOwned(["perl", "-I", root, "-e", guestfsProgram], { stdio: ["pipe", "pipe", "inherit"] });
  const input = child.stdin as Writable;
  const ended = once(child, "exit");
  const ask = (request: object): boolean => input.write(toFrame("J", Buffer.from(JSON.stringify(request))));
  ask({ op: "launch", appliance: "/a", hv: "/h", memoryMib: 1, drives: [], writable: 0 });
  ask({ op: "stat", path: Buffer.from(path).toString("latin1"), follow: 0 });
  ask({ op: "end" });
  const frames = await Array.fromAsync(readFrames(child.stdout as Readable));
  await ended;
  expect(frames.map(({ type }) => type)).toEqual([".", "J", ".", "."]);
  const told = JSON.parse(frames[1]?.data.toString() ?? "") as { name: string; target: string };
  expect(Buffer.from(told.target, "hex").toString()).toBe(path);
  expect(Buffer.from(told.name, "latin1").toString()).toBe(path);
});
